/** Which implementation a service runs on. */
export type Backend = 'memory' | 'redis';

interface ServiceRow {
  /** The variable that moves it to Redis, and the setting that is read from it. */
  readonly flag: `USE_REDIS_${string}`;
  readonly setting: `useRedis${string}`;
  /** What the log calls it. */
  readonly logName: string;
  /** What it is for, when it is on Redis. */
  readonly purpose: string;
  /** Instances that serve the same documents must have it on Redis, or they would not see what the others do. */
  readonly isVitalBetweenInstances: boolean;
}

/**
 * The services that a flag moves between memory and Redis, by their names in /health and /ws/stats. A row here is the flag, its place in
 * /health and /ws/stats, and its line in the log; what stands behind the port is chosen in the container.
 */
export const SERVICES = {
  websockets: {
    flag: 'USE_REDIS_WEBSOCKETS',
    setting: 'useRedisWebsockets',
    logName: 'WebSocket Manager',
    purpose: 'reaches the connections of all instances.',
    isVitalBetweenInstances: true,
  },
  collaboration: {
    flag: 'USE_REDIS_COLLABORATION',
    setting: 'useRedisCollaboration',
    logName: 'Collaboration Service',
    purpose: 'who is in which session, on all instances.',
    isVitalBetweenInstances: true,
  },
  eventOrdering: {
    flag: 'USE_REDIS_EVENT_ORDERING',
    setting: 'useRedisEventOrdering',
    logName: 'Event Ordering Service',
    purpose: 'one order for all instances.',
    isVitalBetweenInstances: true,
  },
  devices: {
    flag: 'USE_REDIS_DEVICES',
    setting: 'useRedisDevices',
    logName: 'Device Sessions',
    purpose: 'where users are signed in, on all instances.',
    isVitalBetweenInstances: false,
  },
  rateLimits: {
    flag: 'USE_REDIS_RATE_LIMITS',
    setting: 'useRedisRateLimits',
    logName: 'Rate Limits',
    purpose: 'what a user may do counts on all instances together.',
    isVitalBetweenInstances: false,
  },
  roleCache: {
    flag: 'USE_REDIS_ROLE_CACHE',
    setting: 'useRedisRoleCache',
    logName: 'Role Cache',
    purpose: 'what the store says of roles, for all instances.',
    isVitalBetweenInstances: false,
  },
} as const satisfies Record<string, ServiceRow>;

export type ServiceName = keyof typeof SERVICES;

export type ServiceSetting = (typeof SERVICES)[ServiceName]['setting'];

const isServiceName = (name: string): name is ServiceName => Object.hasOwn(SERVICES, name);

export const serviceNames: readonly ServiceName[] = Object.keys(SERVICES).filter(isServiceName);

/** Something for each service. */
export function forEachService<Value>(valueOf: (name: ServiceName) => Value): Record<ServiceName, Value> {
  // The names are all there are, so that none is missing.
  return Object.fromEntries(serviceNames.map((name) => [name, valueOf(name)])) as Record<ServiceName, Value>;
}

/** What an operator looks for first in the log after changing a flag. */
export const backendLine = (name: ServiceName, backend: Backend): string =>
  `${backend === 'redis' ? '✅ [RedisDI] Using Redis' : 'ℹ️ [RedisDI] Using in-memory'} ${SERVICES[name].logName}`;
