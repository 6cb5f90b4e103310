import { faultCode } from '../lib/system-faults';
import { FlowError } from '../protocol/errors';
import type { RedisPlace } from './redis-place';

/** How long a client waits before it tries again what Redis could not do. */
const RETRY_AFTER_MS = 500;

/** What to do about a reply of Redis, by the code that it begins with. */
const REMEDIES: Readonly<Record<string, string>> = {
  NOAUTH: 'Redis wants a password: set REDIS_PASSWORD (and REDIS_USERNAME, if it has users of its own).',
  WRONGPASS: 'Redis refuses the password: check REDIS_PASSWORD and REDIS_USERNAME.',
  NOPERM: 'The Redis user may not do this: give REDIS_USERNAME the commands, keys and channels of this server.',
  OOM: 'Redis is full: raise its maxmemory. Its maxmemory-policy must stay noeviction, or it throws documents away.',
  READONLY: 'This Redis is a replica: REDIS_HOST must be the master, or use REDIS_SENTINELS.',
  LOADING: 'Redis is still reading its data from disk; it will be back by itself.',
  MASTERDOWN: 'This Redis is a replica that has lost its master.',
  NOREPLICAS: 'Redis wants more replicas than are there (min-replicas-to-write) before it takes a write.',
  CLUSTERDOWN: 'The Redis Cluster does not serve: some of its slots have no master.',
  MOVED: 'This Redis is part of a cluster: set REDIS_CLUSTER_NODES instead of REDIS_HOST.',
  CROSSSLOT: 'This Redis is part of a cluster: set REDIS_CLUSTER_NODES instead of REDIS_HOST.',
  NOPROTO: 'Redis does not speak RESP3: set REDIS_PROTOCOL=2.',
};

const UNREACHABLE: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ETIMEDOUT',
]);

/** Of the client's side of TLS: the certificate is not what it should be. */
const CERTIFICATE = /^(?:CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;

/** A password was given, and the server has none. Redis uses its general code for this one. */
const NO_PASSWORD_SET = 'without any password configured';

/** A script did what its user may not. Redis uses its general code for this one, too. */
const SCRIPT_NOT_PERMITTED = "The user executing the script can't";

/** `kind` says more than `message` to a program: the reply's code, a system error's code, or ''. */
export interface RedisFault {
  readonly kind: string;
  /** For people: what Redis said, and what to change. */
  readonly message: string;
}

/** What is wrong and what to change, in one line. */
export function explain(cause: unknown, { address: where, variables }: RedisPlace): RedisFault {
  const said = rootOf(cause);
  const system = faultCode(said);
  if (UNREACHABLE.has(system)) {
    const message = `Redis cannot be reached at ${where} (${said.message || system}). Is it running? Check ${variables}.`;
    return { kind: system, message };
  }
  if (CERTIFICATE.test(system)) {
    const message = `The certificate of Redis at ${where} is not trusted: set REDIS_TLS_CA to a file with the one that signs it, and check ${variables}. (${said.message})`;
    return { kind: system, message };
  }
  const kind = said.message.includes(SCRIPT_NOT_PERMITTED) ? 'NOPERM' : replyCode(said);
  if (said.message.includes(NO_PASSWORD_SET)) {
    const message = `Redis at ${where} has no password, but REDIS_PASSWORD is set: leave it empty, or set the same one in Redis. (${said.message})`;
    return { kind: 'WRONGPASS', message };
  }
  const remedy = REMEDIES[kind];
  return { kind, message: remedy === undefined ? `Redis at ${where}: ${said.message}` : `${remedy} (${said.message})` };
}

/** The code that a reply of Redis begins with, if it is one. */
export const replyCode = ({ message }: Fault): string => /^[A-Z]+(?= )/.exec(message)?.[0] ?? '';

/** What a caller of a port gets. Redis that is full refuses; in every other trouble nobody knows what was done. */
export function toRedisError(cause: unknown, place: RedisPlace): FlowError {
  if (cause instanceof FlowError) return cause;
  const { kind, message } = explain(cause, place);
  return new FlowError(
    kind === 'OOM' ? 'BUSY' : 'BACKEND_UNAVAILABLE',
    message,
    { retryAfterMs: RETRY_AFTER_MS },
    { cause },
  );
}

/** ioredis wraps what happened: the last error of a cluster's nodes, the errors of several addresses. */
function rootOf(cause: unknown): Fault {
  let current = cause;
  for (;;) {
    if (!isFault(current)) return { message: String(current) };
    const inner: unknown =
      Reflect.get(current, 'lastNodeError') ?? firstOf(Reflect.get(current, 'errors')) ?? Reflect.get(current, 'cause');
    if (!isFault(inner)) return current;
    current = inner;
  }
}

/** Not by class: faults of another realm are faults, too. */
interface Fault {
  readonly message: string;
}

const isFault = (value: unknown): value is Fault =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';

const firstOf = (list: unknown): unknown => (Array.isArray(list) ? (list as readonly unknown[])[0] : undefined);
