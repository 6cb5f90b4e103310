import { asFunction } from 'awilix';
import { Arrivals } from '../limits/arrivals';
import { MemoryRateLimits } from '../limits/memory-rate-limits';
import type { RateLimits } from '../limits/rate-limits';
import { RedisRateLimits } from '../limits/redis-rate-limits';
import { UserLimits } from '../limits/user-limits';
import type { GivenCradle } from './given';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';

export interface LimitsCradle {
  readonly rateLimits: RateLimits;
  readonly userLimits: UserLimits;
  readonly arrivals: Arrivals;
}

type Cradle = LimitsCradle & GivenCradle & RedisCradle;

export const limitsRegistrations: Registrations<LimitsCradle> = {
  rateLimits: asFunction(chooseRateLimits).singleton(),
  userLimits: asFunction(
    ({ rateLimits, config, clock }: Cradle) => new UserLimits({ rateLimits, settings: config, clock }),
  ).singleton(),
  arrivals: asFunction(({ rateLimits, config }: Cradle) => new Arrivals({ rateLimits, settings: config })).singleton(),
};

function chooseRateLimits({ config, redis, redisKeys: keys, clock, log }: Cradle): RateLimits {
  const here = new MemoryRateLimits({ clock });
  if (config.backends.rateLimits === 'memory' || !redis) return here;
  return new RedisRateLimits({ redis, keys, insurance: here, clock, log });
}
