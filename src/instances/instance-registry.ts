import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import { type Instance, readInstance, writeInstance } from './instance';
import type { InstanceLeases } from './instance-leases';
import { isProcessGone, type ProcessIdentity } from './process-life';

const LEASE_MS = 10_000;
/** Two renewals may fail before the lease ends. */
const RENEW_MS = 3_000;

interface InstanceRegistryOptions {
  readonly leases: InstanceLeases;
  /** What is true of this instance now. Its id, process and start never change. */
  readonly describe: () => Instance | Promise<Instance>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs?: number;
  readonly renewMs?: number;
  readonly isGone?: (process: ProcessIdentity) => boolean;
}

/**
 * Who is alive: every instance holds a lease and renews it, saying what is true of it by then. Whoever dies is gone when the lease ends; one
 * whose process is known to be gone, at once. All reject with the fault of their backend.
 */
export class InstanceRegistry {
  readonly #options: InstanceRegistryOptions;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #isGone: (process: ProcessIdentity) => boolean;
  readonly #outage: Outage;
  /** What was said last; kept, so that nobody else's lease is taken for one's own. */
  #self: Instance | undefined;
  #text: string | null = null;
  #hasArrived = false;
  /** By then everybody has had time to say again that they are there, should the backend have lost its memory. */
  #settledAt = 0;
  #cancel = (): void => {};
  #renewal: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: InstanceRegistryOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#renewMs = options.renewMs ?? RENEW_MS;
    this.#isGone = options.isGone ?? isProcessGone;
    this.#outage = new Outage(options.log, {
      began: 'this instance cannot say that it is alive',
      ended: 'this instance is known to be alive again',
    });
  }

  /** Puts this instance in; it stays in, by itself, until `stop`. */
  async start(): Promise<void> {
    await this.#register();
    this.#arm();
  }

  /** Takes this instance out at once. Never rejects: a lease that cannot be given back ends. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#renewal;
    const text = this.#text;
    this.#text = null;
    if (text === null) return;
    try {
      const own = (await this.#options.leases.list()).find((lease) => lease.text === text);
      if (own) await this.#options.leases.end(own);
    } catch (fault) {
      this.#outage.failed(fault);
    }
  }

  /** The other live instances. One among them with this instance's own id: two processes run under one INSTANCE_ID. */
  async others(): Promise<readonly Instance[]> {
    const alive = await this.#alive();
    return alive.filter((instance) => !this.#isThis(instance));
  }

  /** The others that serve, or came before this one. Null: that cannot be said yet. */
  async before(): Promise<readonly Instance[] | null> {
    if (!(await this.#alive()).some((instance) => this.#isThis(instance))) await this.#register();
    const alive = await this.#alive();
    const place = alive.findIndex((instance) => this.#isThis(instance));
    if (place >= 0 && this.#options.clock.monotonic() < this.#settledAt) return null;
    // Who has not got in has everybody before itself, and is not in while somebody else has its id.
    const before = alive.filter((instance, index) => !this.#isThis(instance) && (index < place || instance.isServing));
    if (place >= 0) return before;
    const namesake = alive.filter(({ instanceId }) => instanceId === this.#self?.instanceId);
    return namesake.length > 0 ? namesake : null;
  }

  #arm(): void {
    this.#cancel = this.#options.clock.after(this.#renewMs, () => {
      this.#renewal = this.#renew().finally(() => {
        if (!this.#isStopped) this.#arm();
      });
    });
  }

  async #renew(): Promise<void> {
    try {
      await this.#register();
      this.#outage.worked();
    } catch (fault) {
      this.#outage.failed(fault);
    }
  }

  async #register(): Promise<void> {
    const { leases, describe, clock } = this.#options;
    const self = await describe();
    const { instanceId } = self;
    const text = writeInstance(self);
    this.#self = self;
    const hold = (previous: string | null) => leases.hold({ instanceId, text, previous, leaseMs: this.#leaseMs });
    let answer = await hold(this.#text);
    if (answer.kind === 'taken') {
      const holder = readInstance(answer.text);
      // One's own, whose answer was lost; or somebody's who cannot need it any more. Everybody else's stays, and `others` shows it.
      if (holder && !this.#isThis(holder) && !this.#isGone(holder.process)) return;
      answer = await hold(answer.text);
      if (answer.kind === 'taken') return;
    }
    this.#text = text;
    if (answer.kind === 'kept') return;
    if (this.#hasArrived) this.#settledAt = clock.monotonic() + 2 * this.#renewMs;
    this.#hasArrived = true;
  }

  /** In the order of their arrival, this one among them. Whoever sees that a process is gone takes it out. */
  async #alive(): Promise<Instance[]> {
    const { leases } = this.#options;
    const alive: Instance[] = [];
    for (const lease of await leases.list()) {
      const instance = readInstance(lease.text);
      if (!instance) continue;
      if (this.#isThis(instance) || !this.#isGone(instance.process)) alive.push(instance);
      else await leases.end(lease);
    }
    return alive;
  }

  #isThis(other: Instance): boolean {
    const self = this.#self;
    return (
      self !== undefined &&
      other.instanceId === self.instanceId &&
      other.startedAt === self.startedAt &&
      other.process.space === self.process.space &&
      other.process.pid === self.process.pid &&
      other.process.birth === self.process.birth
    );
  }
}
