import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { ERRORS, FlowError } from '../protocol/errors';
import type { RecentWarnings } from './recent-warnings';
import { explain, faultCode } from './system-faults';

export type { Logger };

/** Fields that never reach a log, at the top of a line or one level down (a request's headers, an auth handshake). */
const SECRET_FIELDS = ['token', 'password', 'secret', 'signature', 'authorization', 'cookie', 'payload', 'operations'];

/**
 * The root logger; components take children of it: `logger.child({ component: 'saver' })`.
 * Messages are constant texts, values are fields. Lines go to `destination`, by default to standard output at once; `warnings` notes
 * those that are warnings or worse.
 */
export function createLogger(
  { level, instanceId, warnings }: { level: string; instanceId: string; warnings?: RecentWarnings },
  destination?: DestinationStream,
): Logger {
  const options = {
    level,
    base: { instanceId },
    serializers: { err: describeFault },
    ...(warnings ? { hooks: { logMethod: noteIn(warnings) } } : {}),
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.headers.${field}`]), censor },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** For tests and embedders that want none. */
export const silentLogger: Logger = pino({ level: 'silent' });

/** Where in the code somebody was refused something helps nobody, and anybody could fill a disk with it. */
const isEverydayRefusal = (fault: Error): fault is FlowError =>
  fault instanceof FlowError && ['debug', 'info'].includes(ERRORS[fault.code].logLevel);

/** As pino does it, but for the message, into which it would put a colon behind the full stop. */
function describeFault(fault: unknown): unknown {
  if (!(fault instanceof Error)) return fault;
  if (isEverydayRefusal(fault)) return describeRefusal(fault);
  return { ...pino.stdSerializers.err(fault), message: explain(fault) };
}

/** What the caller was told, and the kind of fault behind it: its message may quote what was sent. */
function describeRefusal({ name, code, message, cause }: FlowError): object {
  const kind = faultCode(cause) || (cause instanceof Error ? cause.name : undefined);
  return { type: name, code, message, ...(kind === undefined ? {} : { cause: kind }) };
}

type LogMethod = NonNullable<NonNullable<LoggerOptions['hooks']>['logMethod']>;

function noteIn(warnings: RecentWarnings): LogMethod {
  return function note(line, method, level) {
    const name = pino.levels.labels[level];
    if (name === 'warn' || name === 'error' || name === 'fatal')
      warnings.note(name, this.bindings()['component'], line);
    method.apply(this, line);
  };
}

/** A number is a count, of operations say, and no secret. */
function censor(value: unknown): unknown {
  return typeof value === 'number' ? value : '[redacted]';
}
