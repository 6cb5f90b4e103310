import type { SettingName, Settings } from './schema';

interface Contradiction {
  /** The settings that contradict each other; the first one is named as the fault. */
  readonly between: readonly [SettingName, ...SettingName[]];
  readonly holds: (read: Settings) => boolean;
  readonly message: string;
}

/** What each value allows, but not the values together. */
export const contradictions: readonly Contradiction[] = [
  {
    between: ['authMode', 'nodeEnv', 'allowOpenAuth'],
    holds: (read) => read.authMode === 'open' && read.nodeEnv === 'production' && !read.allowOpenAuth,
    message:
      'open lets everyone in; NODE_ENV=production refuses it unless ALLOW_OPEN_AUTH=true says that this is meant',
  },
  {
    between: ['authMode', 'authJwtSecret', 'authJwksUrl'],
    holds: (read) => read.authMode === 'jwt' && (read.authJwtSecret === undefined) === (read.authJwksUrl === undefined),
    message: 'jwt needs either AUTH_JWT_SECRET or AUTH_JWKS_URL, and not both',
  },
  {
    between: ['authMode', 'authJwtSecret', 'authJwksUrl'],
    holds: (read) => read.authMode === 'open' && (read.authJwtSecret ?? read.authJwksUrl) !== undefined,
    message: 'open lets everyone in, although AUTH_JWT_SECRET or AUTH_JWKS_URL is set: set it to jwt, or unset those',
  },
  {
    between: ['authJwksUrl', 'nodeEnv'],
    holds: (read) => read.nodeEnv === 'production' && (read.authJwksUrl?.startsWith('http:') ?? false),
    message: 'must be https with NODE_ENV=production: whoever is between could hand out keys of their own',
  },
  {
    between: ['maxOperationBytes', 'maxBatchBytes'],
    holds: (read) => read.maxOperationBytes > read.maxBatchBytes,
    message: 'must not be more than MAX_BATCH_BYTES, or such an operation fits no batch',
  },
  {
    between: ['maxBatchBytes', 'maxUnsavedBytes'],
    holds: (read) => read.maxBatchBytes > read.maxUnsavedBytes,
    message: 'must not be more than MAX_UNSAVED_BYTES, or such a batch is never accepted',
  },
  {
    between: ['redisClusterNodes', 'redisSentinels'],
    holds: (read) => read.redisClusterNodes !== undefined && read.redisSentinels !== undefined,
    message: 'must not be set together with REDIS_SENTINELS: Redis is the one or the other',
  },
  {
    between: ['redisUrl', 'redisClusterNodes', 'redisSentinels'],
    holds: (read) =>
      read.redisUrl !== undefined && (read.redisClusterNodes !== undefined || read.redisSentinels !== undefined),
    message: 'must not be set together with REDIS_CLUSTER_NODES or REDIS_SENTINELS: it names one server',
  },
  {
    between: ['redisSentinels', 'redisSentinelName'],
    holds: (read) => read.redisSentinels !== undefined && read.redisSentinelName === undefined,
    message: 'needs REDIS_SENTINEL_NAME, what the sentinels call the master',
  },
  {
    between: ['redisDb', 'redisClusterNodes'],
    holds: (read) => read.redisClusterNodes !== undefined && read.redisDb !== 0,
    message: 'must be 0 with REDIS_CLUSTER_NODES: a cluster has one database',
  },
];
