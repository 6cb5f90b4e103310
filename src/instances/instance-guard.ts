import { pause, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { Instance, InstanceRegistry } from './instance-registry';

/** How often a waiting instance looks again. */
const LOOK_MS = 500;

/** The flag of a service, by the service's name in /health. */
const FLAGS: Readonly<Record<string, string>> = {
  websockets: 'USE_REDIS_WEBSOCKETS',
  collaboration: 'USE_REDIS_COLLABORATION',
  eventOrdering: 'USE_REDIS_EVENT_ORDERING',
};

interface InstanceGuardOptions {
  readonly registry: Pick<InstanceRegistry, 'others'>;
  /** This instance. */
  readonly self: Pick<Instance, 'instanceId' | 'startedAt' | 'backends'>;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Keeps instances apart that would not know of each other: two may run side by side only if all that they share is in Redis, on both. The
 * later one waits until the earlier one is gone, and says which flag to change.
 */
export class InstanceGuard {
  readonly #options: InstanceGuardOptions;
  constructor(options: InstanceGuardOptions) {
    this.#options = options;
  }

  /** Resolves when this instance may serve, or need not any more. */
  async passed(): Promise<void> {
    const { clock, log, isStopping } = this.#options;
    let told = '';
    while (!isStopping()) {
      const reason = await this.reason();
      if (reason === null) return;
      if (reason !== told) log.error(reason);
      told = reason;
      await pause(clock, LOOK_MS);
    }
  }

  /** Why this instance must wait, and what to change; null: it need not. */
  async reason(): Promise<string | null> {
    const { registry, self } = this.#options;
    for (const other of await registry.others()) {
      if (!isEarlier(other, self)) continue;
      const reason = conflict(self, other);
      if (reason !== null) return reason;
    }
    return null;
  }
}

function conflict(self: InstanceGuardOptions['self'], other: Instance): string | null {
  if (other.instanceId === self.instanceId) {
    return `Another process runs as instance ${self.instanceId} (pid ${other.pid} on ${other.host}): set INSTANCE_ID to a name of its own, or stop that one. Waiting.`;
  }
  const here = inMemory(self);
  const there = inMemory(other);
  if (here.length + there.length === 0) return null;
  const flags = (services: readonly string[]): string =>
    services.map((service) => `${FLAGS[service] ?? service}=true`).join(', ');
  const remedies = [
    ...(here.length > 0 ? [`set ${flags(here)} here`] : []),
    ...(there.length > 0 ? [`set ${flags(there)} there`] : []),
  ];
  return (
    `Instance ${other.instanceId} (pid ${other.pid} on ${other.host}) serves the same documents, and not everything the two share is in Redis: ` +
    `${remedies.join(' and ')}, or stop that one. Waiting.`
  );
}

const inMemory = ({ backends }: Pick<Instance, 'backends'>): string[] =>
  Object.keys(FLAGS).filter((service) => backends[service] !== 'redis');

const isEarlier = (other: Instance, self: InstanceGuardOptions['self']): boolean =>
  other.startedAt < self.startedAt || (other.startedAt === self.startedAt && other.instanceId < self.instanceId);
