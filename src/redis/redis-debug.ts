import { tracingChannel } from 'node:diagnostics_channel';
import type { Logger } from '../lib/logger';
import type { RedisClient, Role } from './redis-clients';

const NAMESPACES = ['redis:command', 'redis:operation', 'redis:connection'] as const;
type Namespace = (typeof NAMESPACES)[number];

/** What the client library tells of each command, besides arguments, which may be anybody's text. */
interface TracedCommand {
  readonly command: string;
  readonly serverAddress: string;
  readonly serverPort?: number;
  readonly error?: unknown;
}

/**
 * `DEBUG=redis:*`: each command, each operation (which may be several commands) and each event of a connection as a debug line, whatever
 * LOG_LEVEL says. Names and times only: never keys, values, payloads or passwords.
 */
export class RedisDebug {
  readonly #log: Logger;
  readonly #namespaces: ReadonlySet<Namespace>;
  readonly #startedAt = new WeakMap<object, number>();
  readonly #channel = tracingChannel<object, TracedCommand>('ioredis:command');
  readonly #subscriber = {
    start: (context: TracedCommand): void => void this.#startedAt.set(context, performance.now()),
    asyncEnd: (context: TracedCommand): void => this.#onCommand(context),
    end: (): void => {},
    asyncStart: (): void => {},
    error: (): void => {},
  };

  /** Null: `DEBUG` asks for nothing of Redis. */
  static of(debug: string | undefined, log: Logger): RedisDebug | null {
    const namespaces = NAMESPACES.filter((namespace) => isAskedFor(debug ?? '', namespace));
    return namespaces.length > 0 ? new RedisDebug(log.child({}, { level: 'debug' }), new Set(namespaces)) : null;
  }

  private constructor(log: Logger, namespaces: ReadonlySet<Namespace>) {
    this.#log = log;
    this.#namespaces = namespaces;
  }

  start(): void {
    if (this.#namespaces.has('redis:command')) this.#channel.subscribe(this.#subscriber);
  }

  stop(): void {
    this.#channel.unsubscribe(this.#subscriber);
  }

  operation(operation: string, ms: number): void {
    this.#say('redis:operation', { operation, ms: rounded(ms) }, 'Redis operation');
  }

  watch(role: Role, client: RedisClient): void {
    for (const event of ['connect', 'ready', 'close', 'end'])
      client.on(event, () => this.#say('redis:connection', { role, event }, 'Redis connection'));
    client.on('reconnecting', (delayMs: number) =>
      this.#say('redis:connection', { role, event: 'reconnecting', delayMs }, 'Redis connection'),
    );
  }

  #onCommand(context: TracedCommand): void {
    const { command, serverAddress, serverPort, error } = context;
    const ms = rounded(performance.now() - (this.#startedAt.get(context) ?? performance.now()));
    const server = serverPort === undefined ? serverAddress : `${serverAddress}:${serverPort}`;
    this.#say(
      'redis:command',
      { command, ms, server, ...(error === undefined ? {} : { failed: true }) },
      'Redis command',
    );
  }

  #say(namespace: Namespace, fields: object, message: string): void {
    if (this.#namespaces.has(namespace)) this.#log.debug({ namespace, ...fields }, message);
  }
}

/** Names as the libraries that read DEBUG write them: separated by commas or spaces, `*` for anything, `-` before what is left out. */
export function isAskedFor(debug: string, namespace: string): boolean {
  const patterns = debug.split(/[\s,]+/).filter(Boolean);
  const fits = (pattern: string): boolean =>
    new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`).test(namespace);
  return (
    patterns.some((pattern) => fits(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith('-') && fits(pattern.slice(1)))
  );
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** Hundredths of a millisecond. */
const rounded = (ms: number): number => Math.round(ms * 100) / 100;
