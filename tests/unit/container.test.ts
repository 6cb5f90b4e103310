import { createServer } from 'node:http';
import { loadConfig, type Config, type Environment } from '../../config/load-config';
import { settingNames, settings, variableOf } from '../../config/schema';
import { backendLine, type ServiceName, serviceNames, SERVICES } from '../../src/protocol/services';
import { MemoryDevices } from '../../src/access/memory-devices';
import { RedisDevices } from '../../src/access/redis-devices';
import { RedisRoleCache } from '../../src/access/redis-role-cache';
import { MemoryRoleCache } from '../../src/access/memory-role-cache';
import { openAuthenticate } from '../../src/access/open-access';
import { createFlowContainer } from '../../src/container';
import type { Given } from '../../src/container/given';
import { MemoryWebSocketManager } from '../../src/connections/memory-websocket-manager';
import { RedisWebSocketManager } from '../../src/connections/redis-websocket-manager';
import { silentLogger } from '../../src/lib/logger';
import { MemoryRateLimits } from '../../src/limits/memory-rate-limits';
import { RedisRateLimits } from '../../src/limits/redis-rate-limits';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { MemorySaveDuty } from '../../src/ordering/memory-save-duty';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisSaveDuty } from '../../src/ordering/redis-save-duty';
import { MemoryCollaborationService } from '../../src/sessions/memory-collaboration-service';
import { MemoryParticipants } from '../../src/sessions/memory-participants';
import { RedisCollaborationService } from '../../src/sessions/redis-collaboration-service';
import { RedisParticipants } from '../../src/sessions/redis-participants';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { ManualClock } from '../support/manual-clock';

function containerWith(config: Partial<Config>, given: Partial<Given> = {}) {
  return createFlowContainer({
    version: '0.0.0',
    config: { ...loadConfig({}), documentStore: 'memory', ...config },
    httpServer: createServer(),
    socketPath: '/socket.io',
    authenticate: openAuthenticate,
    authorize: undefined,
    onSessionOpened: undefined,
    onSaved: undefined,
    store: undefined,
    ordering: undefined,
    clock: new ManualClock(),
    log: silentLogger,
    phase: () => 'ready',
    ...given,
  });
}

const env = (onRedis: readonly ServiceName[]): Environment =>
  Object.fromEntries(serviceNames.map((name) => [SERVICES[name].flag, String(onRedis.includes(name))]));

/** Every set of services that may be on Redis together. */
const combinations = serviceNames.reduce<ServiceName[][]>(
  (sets, name) => sets.flatMap((set) => [set, [...set, name]]),
  [[]],
);
const stores = settings.shape.documentStore.unwrap().options;
const table = stores.flatMap((store) =>
  combinations.map((onRedis) => ({ store, onRedis, what: onRedis.join(', ') || 'nothing' })),
);

/** Who stands behind each service, and what the log says of it. */
const BACKENDS = {
  websockets: {
    resolve: ({ sockets }) => [sockets],
    memory: [MemoryWebSocketManager],
    redis: [RedisWebSocketManager],
    lines: ['ℹ️ [RedisDI] Using in-memory WebSocket Manager', '✅ [RedisDI] Using Redis WebSocket Manager'],
  },
  collaboration: {
    resolve: ({ collaboration, participants }) => [collaboration, participants],
    memory: [MemoryCollaborationService, MemoryParticipants],
    redis: [RedisCollaborationService, RedisParticipants],
    lines: ['ℹ️ [RedisDI] Using in-memory Collaboration Service', '✅ [RedisDI] Using Redis Collaboration Service'],
  },
  eventOrdering: {
    resolve: ({ ordering, saveDuty }) => [ordering, saveDuty],
    memory: [MemoryEventOrdering, MemorySaveDuty],
    redis: [RedisEventOrdering, RedisSaveDuty],
    lines: ['ℹ️ [RedisDI] Using in-memory Event Ordering Service', '✅ [RedisDI] Using Redis Event Ordering Service'],
  },
  devices: {
    resolve: ({ devices }) => [devices],
    memory: [MemoryDevices],
    redis: [RedisDevices],
    lines: ['ℹ️ [RedisDI] Using in-memory Device Sessions', '✅ [RedisDI] Using Redis Device Sessions'],
  },
  rateLimits: {
    resolve: ({ rateLimits }) => [rateLimits],
    memory: [MemoryRateLimits],
    redis: [RedisRateLimits],
    lines: ['ℹ️ [RedisDI] Using in-memory Rate Limits', '✅ [RedisDI] Using Redis Rate Limits'],
  },
  roleCache: {
    resolve: ({ roleCache }) => [roleCache],
    memory: [MemoryRoleCache],
    redis: [RedisRoleCache],
    lines: ['ℹ️ [RedisDI] Using in-memory Role Cache', '✅ [RedisDI] Using Redis Role Cache'],
  },
} as const satisfies Record<ServiceName, Expected>;

interface Expected {
  readonly resolve: (cradle: ReturnType<typeof containerWith>['cradle']) => readonly object[];
  readonly memory: readonly unknown[];
  readonly redis: readonly unknown[];
  readonly lines: readonly [memory: string, redis: string];
}

test('every flag moves one service', () => {
  const flags = settingNames.filter((name) => name.startsWith('useRedis')).map(variableOf);
  expect(flags).toEqual(serviceNames.map((name) => SERVICES[name].flag));
});

test.each(table)(
  'with store $store and on Redis: $what, every registration resolves, to the same thing each time and to what the log says',
  async ({ store, onRedis }) => {
    const config = loadConfig({ ...env(onRedis), DOCUMENT_STORE: store });
    const container = containerWith(config);
    const names = Object.keys(container.registrations);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      const resolved: unknown = container.resolve(name);
      expect(resolved).toBeDefined();
      expect(container.resolve(name)).toBe(resolved);
    }
    for (const name of serviceNames) {
      const { resolve, lines, ...backends } = BACKENDS[name];
      const backend = onRedis.includes(name) ? 'redis' : 'memory';
      expect(config.backends[name]).toBe(backend);
      expect(resolve(container.cradle).map((service) => service.constructor)).toEqual(backends[backend]);
      expect(backendLine(name, backend)).toBe(lines[backend === 'redis' ? 1 : 0]);
    }
    expect(container.cradle.store.kind).toBe(store);
    await container.cradle.io.close();
  },
);

test('a name that is not registered is an error, not undefined', () => {
  expect(() => containerWith({}).resolve('noSuchService')).toThrow('noSuchService');
});

test('the store is the configured one, or the one that is given', () => {
  expect(containerWith({ documentStore: 'memory' }).cradle.store).toBeInstanceOf(MemoryDocumentStore);
  expect(containerWith({ documentStore: 'lmdb' }).cradle.store).toBeInstanceOf(LmdbDocumentStore);
  const store = new MemoryDocumentStore();
  expect(containerWith({ documentStore: 'lmdb' }, { store }).cradle.store).toBe(store);
});

test('the order is the own one, or the one that is given', () => {
  expect(containerWith({}).cradle.ordering.scope).toBe('process');
  const ordering = new MemoryEventOrdering({ clock: new ManualClock(), scope: 'shared' });
  expect(containerWith({}, { ordering }).cradle.ordering).toBe(ordering);
});
