import { asFunction } from 'awilix';
import type { EventOrdering } from '../ordering/event-ordering';
import { MemoryEventOrdering } from '../ordering/memory-event-ordering';
import { MemorySaveDuty } from '../ordering/memory-save-duty';
import { RedisEventOrdering } from '../ordering/redis-event-ordering';
import { RedisSaveDuty } from '../ordering/redis-save-duty';
import type { SaveDuty } from '../ordering/save-duty';
import type { GivenCradle } from './given';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';

export interface OrderingCradle {
  readonly ordering: EventOrdering;
  readonly saveDuty: SaveDuty;
}

type Cradle = OrderingCradle & GivenCradle & RedisCradle;

export const orderingRegistrations: Registrations<OrderingCradle> = {
  ordering: asFunction(chooseOrdering).singleton(),
  saveDuty: asFunction(chooseSaveDuty).singleton(),
};

function chooseOrdering({ given, config, redis, hints, redisKeys: keys, clock }: Cradle): EventOrdering {
  if (given.ordering) return given.ordering;
  if (config.backends.eventOrdering === 'memory' || !redis || !hints) return new MemoryEventOrdering({ clock });
  return new RedisEventOrdering({ redis, hints, keys, clock });
}

function chooseSaveDuty({ given, config, redis, redisKeys: keys, ordering }: Cradle): SaveDuty {
  if (given.ordering || config.backends.eventOrdering === 'memory' || !redis) return new MemorySaveDuty();
  return new RedisSaveDuty({ redis, keys, ordering, instanceId: config.instanceId, leaseMs: config.saveLeaseMs });
}
