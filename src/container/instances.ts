import { hostname } from 'node:os';
import { asFunction } from 'awilix';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { Instance } from '../instances/instance';
import type { InstanceBus } from '../instances/instance-bus';
import { InstanceGuard } from '../instances/instance-guard';
import { InstanceRegistry } from '../instances/instance-registry';
import { MemoryInstanceBus } from '../instances/memory-instance-bus';
import { thisProcess } from '../instances/process-life';
import { RedisInstanceBus } from '../instances/redis-instance-bus';
import { RedisInstanceLeases } from '../instances/redis-instance-leases';
import type { DocumentStore } from '../storage/document-store';
import { LmdbDocumentStore } from '../storage/lmdb/lmdb-document-store';
import type { GivenCradle } from './given';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';
import type { StorageCradle } from './storage';

export interface InstancesCradle {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** What this instance says of itself now; once the store is open. */
  readonly self: () => Promise<Instance>;
  /** Who shares Redis with this instance. Null: it uses none. */
  readonly redisInstances: InstanceRegistry | null;
  /** Who shares the store with this instance. Null: nobody can; or whoever made the instances has seen to it that they know of each other. */
  readonly storeInstances: InstanceRegistry | null;
  /** This one first. A registry that cannot be reached is passed over: it shows in the health of what it is in. */
  readonly liveInstances: () => Promise<readonly Instance[]>;
  readonly guard: InstanceGuard;
  readonly bus: InstanceBus;
}

type Cradle = InstancesCradle &
  GivenCradle &
  RedisCradle &
  StorageCradle & {
    /** Of the connections, which for their part know the instances. */
    readonly localSockets: WebSocketManager;
  };

export const instancesRegistrations: Registrations<InstancesCradle> = {
  startedAt: asFunction(({ clock }: Cradle) => clock.now()).singleton(),
  self: asFunction(describeSelf).singleton(),
  redisInstances: asFunction(chooseRedisInstances).singleton(),
  storeInstances: asFunction(chooseStoreInstances).singleton(),
  liveInstances: asFunction(makeLiveInstances).singleton(),
  guard: asFunction(
    ({ given, self, clock, log }: Cradle) =>
      new InstanceGuard({ self, isStopping: () => given.phase() === 'draining', clock, log }),
  ).singleton(),
  bus: asFunction(chooseBus).singleton(),
};

function describeSelf({ given, config, store, localSockets, startedAt }: Cradle): Cradle['self'] {
  const { instanceId, backends, configured } = config;
  return async () => {
    const { local, users } = await localSockets.stats();
    return {
      instanceId,
      host: hostname(),
      process: thisProcess(),
      startedAt,
      version: given.version,
      backends,
      configured,
      store: await placeOf(store, given.store ? store.kind : `memory of ${instanceId}`),
      isServing: given.phase() === 'ready',
      connections: local,
      users,
    };
  };
}

/** A store in memory is nobody else's; where one that was given keeps things, the one who gave it must know. */
const placeOf = async (store: DocumentStore, otherwise: string): Promise<string> =>
  store instanceof LmdbDocumentStore ? store.place() : otherwise;

function chooseRedisInstances({ redis, redisKeys: keys, self, clock, log }: Cradle): InstanceRegistry | null {
  if (!redis) return null;
  return new InstanceRegistry({ leases: new RedisInstanceLeases({ redis, keys }), describe: self, clock, log });
}

function chooseStoreInstances({ given, store, self, clock, log }: Cradle): InstanceRegistry | null {
  if (given.ordering || !(store instanceof LmdbDocumentStore)) return null;
  return new InstanceRegistry({ leases: store.instanceLeases(clock), describe: self, clock, log });
}

function makeLiveInstances({ self, redisInstances, storeInstances }: Cradle): Cradle['liveInstances'] {
  return async () => {
    const asked = [redisInstances, storeInstances].map((registry) => registry?.others() ?? []);
    const answers = await Promise.allSettled([self().then((instance) => [instance]), ...asked]);
    const instances = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return [...new Map(instances.map((instance) => [instance.instanceId, instance])).values()];
  };
}

/** With the connections: what it tells is for those who are connected elsewhere. */
function chooseBus({ config, redis, hints, redisKeys: keys, log }: Cradle): InstanceBus {
  if (config.backends.websockets === 'memory' || !redis || !hints) return new MemoryInstanceBus();
  return new RedisInstanceBus({ redis, hints, keys, log });
}
