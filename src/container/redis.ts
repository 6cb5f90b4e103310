import { asFunction } from 'awilix';
import { RedisKeys } from '../redis/keys';
import { RedisConnections } from '../redis/redis-connections';
import { RedisDebug } from '../redis/redis-debug';
import { RedisHints } from '../redis/redis-hints';
import type { GivenCradle } from './given';
import type { Registrations } from './registrations';
import type { TelemetryCradle } from './telemetry';

export interface RedisCradle {
  /** Null: no service is on Redis. */
  readonly redis: RedisConnections | null;
  readonly redisKeys: RedisKeys;
  /** Ordering, bus and access listen through one. Null as above. */
  readonly hints: RedisHints | null;
}

type Cradle = RedisCradle & GivenCradle & TelemetryCradle;

export const redisRegistrations: Registrations<RedisCradle> = {
  redis: asFunction(connectionsToRedis).singleton(),
  redisKeys: asFunction(({ config }: Cradle) => new RedisKeys(config.redis.keyPrefix)).singleton(),
  hints: asFunction(({ redis, log }: Cradle) => redis && new RedisHints({ redis, log })).singleton(),
};

function connectionsToRedis({ config, clock, log, telemetry }: Cradle): RedisConnections | null {
  if (!Object.values(config.backends).includes('redis')) return null;
  const { redis: settings, instanceId } = config;
  const debug = RedisDebug.of(config.debug, log);
  return new RedisConnections({ settings, instanceId, clock, log, telemetry, debug });
}
