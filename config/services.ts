import type { SettingName } from './schema';

/** Which implementation a service runs on. */
export type Backend = 'memory' | 'redis';

/** The services a flag can move to Redis, by the names /health and /ws/stats use, in the order of the log. */
export const services = {
  websockets: { flag: 'useRedisWebsockets', logName: 'WebSocket Manager' },
  collaboration: { flag: 'useRedisCollaboration', logName: 'Collaboration Service' },
  eventOrdering: { flag: 'useRedisEventOrdering', logName: 'Event Ordering Service' },
} as const satisfies Readonly<Record<string, { flag: SettingName; logName: string }>>;

export type ServiceName = keyof typeof services;
export type RedisFlag = (typeof services)[ServiceName]['flag'];

/** In the order of the table. */
export const serviceNames: readonly ServiceName[] = ['websockets', 'collaboration', 'eventOrdering'];

/** What an operator looks for first in the log after changing a flag. */
export const backendLine = (name: ServiceName, backend: Backend): string =>
  `${backend === 'redis' ? '✅ [RedisDI] Using Redis' : 'ℹ️ [RedisDI] Using in-memory'} ${services[name].logName}`;
