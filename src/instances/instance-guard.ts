import { pause, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { SERVICES, serviceNames } from '../protocol/services';
import type { Instance } from './instance';
import type { InstanceRegistry } from './instance-registry';

/** How often a waiting instance looks again. */
const LOOK_MS = 500;

/** The flag of a service, by the service's name in /health. */
const FLAGS: Readonly<Record<string, string>> = Object.fromEntries(
  serviceNames.filter((name) => SERVICES[name].isVitalBetweenInstances).map((name) => [name, SERVICES[name].flag]),
);

/** What matters between two instances. */
type Self = Pick<Instance, 'instanceId' | 'backends' | 'configured' | 'store'>;

interface InstanceGuardOptions {
  /** This instance; once the store is open. */
  readonly self: () => Promise<Self>;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Keeps instances apart that would not know of each other: two may run side by side only if all that they share is in Redis, on both, and
 * both have one store. The later one waits until the earlier one is gone, and says what to change.
 */
export class InstanceGuard {
  readonly #options: InstanceGuardOptions;
  #reason: string | null = null;

  constructor(options: InstanceGuardOptions) {
    this.#options = options;
  }

  /** Why this instance waits, and what to change; null: it does not. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Resolves when this instance may serve beside those in the registry, or need not any more. */
  async pass(registry: Pick<InstanceRegistry, 'before'>): Promise<void> {
    const { self, clock, log, isStopping } = this.#options;
    const here = await self();
    while (!isStopping()) {
      const before = await registry.before();
      // Whoever waited goes on waiting until it is sure that nobody is there.
      if (before) {
        const reason = reasonOf(here, before);
        if (reason === null) break;
        if (reason !== this.#reason) log.error(reason);
        this.#reason = reason;
      }
      await pause(clock, LOOK_MS);
    }
    if (this.#reason !== null && !isStopping()) log.info('no other instance is in the way any more: starting');
    this.#reason = null;
  }
}

function reasonOf(here: Self, before: readonly Instance[]): string | null {
  for (const there of before) {
    const reason = conflict(here, there);
    if (reason !== null) return `${reason}, or stop that one. Waiting.`;
  }
  return null;
}

/** Why the two must not run side by side, and what to change; null: they may. */
function conflict(here: Self, there: Instance): string | null {
  const other = `${there.instanceId} (pid ${there.process.pid} on ${there.host})`;
  if (there.instanceId === here.instanceId) {
    return `Another process runs as instance ${other}: set INSTANCE_ID to a name of its own`;
  }
  const remedies = [...remediesFor(here, 'here'), ...remediesFor(there, 'there')];
  if (remedies.length > 0) {
    return `Instance ${other} serves the same documents, and not everything the two share is in Redis: ${remedies.join(' and ')}`;
  }
  if (there.store !== here.store) {
    return (
      `Instance ${other} shares the order in Redis with this one, and not the document store: set DOCUMENT_DIR of both to one directory of ` +
      'one machine, or REDIS_KEY_PREFIX here if these are other documents'
    );
  }
  return null;
}

function remediesFor({ backends, configured }: Pick<Self, 'backends' | 'configured'>, where: string): string[] {
  const inMemory = Object.keys(FLAGS).filter((service) => backends[service] !== 'redis');
  const unset = inMemory.filter((service) => configured[service] !== 'redis');
  return [
    ...(unset.length > 0 ? [`set ${unset.map((service) => `${FLAGS[service]}=true`).join(', ')} ${where}`] : []),
    ...(inMemory.length > unset.length
      ? [`set REDIS_FALLBACK=exit ${where} and restart it when Redis is there, without which it fell back to memory`]
      : []),
  ];
}
