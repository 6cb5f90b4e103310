import type { Settings } from './schema';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is. */
export type RedisTarget =
  | ({ readonly kind: 'single' } & HostPort)
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostPort[];
      readonly name: string;
      readonly password?: string;
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] };

/** Everything about Redis, from the variables that begin with REDIS_. */
export interface RedisSettings {
  readonly target: RedisTarget;
  /** False: nobody said where Redis is, and the target is only the usual place. */
  readonly isAddressGiven: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly isTls: boolean;
  /** Certificates in PEM that a server's own must go back to; undefined: those that Node trusts. */
  readonly tlsCa?: string;
  readonly protocol: 2 | 3;
  readonly keyPrefix: string;
  readonly sessionTtlMs: number;
  readonly maxRetries: number;
  readonly retryDelayMs: number;
  readonly connectTimeoutMs: number;
  readonly slowMs: number;
  readonly fallback: 'memory' | 'exit';
}

type Credentials = Pick<RedisSettings, 'username' | 'password' | 'db' | 'isTls'>;

export function redisSettingsOf(read: Settings): RedisSettings {
  return {
    target: targetOf(read),
    isAddressGiven: [read.redisUrl, read.redisHost, read.redisClusterNodes, read.redisSentinels].some(
      (given) => given !== undefined,
    ),
    ...credentialsOf(read),
    ...(read.redisTlsCa === undefined ? {} : { tlsCa: read.redisTlsCa }),
    protocol: read.redisProtocol === '2' ? 2 : 3,
    keyPrefix: read.redisKeyPrefix,
    sessionTtlMs: read.redisSessionTtl * 1_000,
    maxRetries: read.redisMaxRetries,
    retryDelayMs: read.redisRetryDelay,
    connectTimeoutMs: read.redisConnectTimeout,
    slowMs: read.redisSlowMs,
    fallback: read.redisFallback ?? (read.nodeEnv === 'production' ? 'exit' : 'memory'),
  };
}

function targetOf({
  redisClusterNodes,
  redisSentinels,
  redisSentinelName,
  redisSentinelPassword: password,
  redisUrl,
  redisHost,
  redisPort,
}: Settings): RedisTarget {
  if (redisClusterNodes) return { kind: 'cluster', nodes: redisClusterNodes };
  if (redisSentinels) {
    const name = redisSentinelName ?? '';
    return { kind: 'sentinel', sentinels: redisSentinels, name, ...(password === undefined ? {} : { password }) };
  }
  if (redisUrl === undefined) return { kind: 'single', host: redisHost ?? 'localhost', port: redisPort };
  const { hostname, port } = new URL(redisUrl);
  return { kind: 'single', host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_PORT : Number(port) };
}

function credentialsOf({ redisUrl, redisUsername, redisPassword, redisDb, redisTls }: Settings): Credentials {
  const url = redisUrl === undefined ? undefined : new URL(redisUrl);
  const username = decodeURIComponent(url?.username ?? '') || redisUsername;
  const password = decodeURIComponent(url?.password ?? '') || redisPassword;
  const path = url?.pathname.slice(1) ?? '';
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    db: path === '' ? redisDb : Number(path),
    isTls: redisTls || url?.protocol === 'rediss:',
  };
}

const DEFAULT_PORT = 6_379;
