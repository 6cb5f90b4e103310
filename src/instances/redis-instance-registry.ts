import { z } from 'zod';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { RedisKeys } from '../redis/keys';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import { REDIS_NOW } from '../redis/redis-now';
import type { Instance, InstanceRegistry } from './instance-registry';
import { isProcessAlive } from './process-life';

const LEASE_MS = 10_000;
/** Two renewals may fail before the lease ends. */
const RENEW_MS = 3_000;

/** KEYS: instances. ARGV: instanceId, ms. Renews a lease. */
const HOLD = {
  numberOfKeys: 1,
  lua: `
${REDIS_NOW}
redis.call('ZADD', KEYS[1], exact(now + tonumber(ARGV[2])), ARGV[1])
return redis.call('PEXPIRE', KEYS[1], exact(2 * tonumber(ARGV[2])))
`,
} as const;

/** KEYS: instances. Returns {instanceId, end of its lease, …} of all who are alive; the others are removed. */
const ALIVE = {
  numberOfKeys: 1,
  lua: `
${REDIS_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', exact(now))
local found = redis.call('ZRANGE', KEYS[1], 0, -1)
local leases = {}
for _, id in ipairs(found) do
  leases[#leases + 1] = id
  leases[#leases + 1] = redis.call('ZSCORE', KEYS[1], id)
end
return leases
`,
} as const;

/** KEYS: instances. ARGV: instanceId, end of its lease. Removes a lease that nobody has renewed since it was seen. */
const END = {
  numberOfKeys: 1,
  lua: `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
`,
} as const;

/** KEYS: instance. ARGV: text. Removes what an instance said of itself, if it is still that. */
const ERASE = {
  numberOfKeys: 1,
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
} as const;

interface RedisInstanceRegistryOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  /** What is true of this instance now. Its id, host and process never change. */
  readonly describe: () => Instance | Promise<Instance>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs?: number;
  readonly renewMs?: number;
  readonly isAlive?: (pid: number) => boolean;
}

/** Live instances in Redis. What an instance says lives as long as its lease, which is measured by the clock of Redis. */
export class RedisInstanceRegistry implements InstanceRegistry {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #describe: () => Instance | Promise<Instance>;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #isAlive: (pid: number) => boolean;
  readonly #outage: Outage;
  #self: Instance | undefined;
  /** What stands in Redis of this instance. */
  #written: string | undefined;
  #cancel = (): void => {};
  #renewal: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: RedisInstanceRegistryOptions) {
    const { redis, keys, describe, clock, log } = options;
    this.#redis = redis;
    this.#keys = keys;
    this.#describe = describe;
    this.#clock = clock;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#renewMs = options.renewMs ?? RENEW_MS;
    this.#isAlive = options.isAlive ?? isProcessAlive;
    this.#outage = new Outage(log, {
      began: 'this instance cannot say that it is alive',
      ended: 'this instance is known to be alive again',
    });
    const client = redis.client('command');
    client.defineCommand('flowHoldInstance', HOLD);
    client.defineCommand('flowAliveInstances', ALIVE);
    client.defineCommand('flowEndInstance', END);
    client.defineCommand('flowEraseInstance', ERASE);
  }

  async start(): Promise<void> {
    await this.#register();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#renewal;
    const [self, written] = [this.#self, this.#written];
    if (!self || written === undefined) return;
    try {
      const erased = await this.#ask('sign off', (redis) =>
        redis.flowEraseInstance(this.#keys.instance(self.instanceId), written),
      );
      if (erased === 1)
        await this.#redis.ask('sign off', (client) => client.zrem(this.#keys.instances(), self.instanceId));
    } catch (fault) {
      this.#outage.failed(fault);
    }
  }

  async others(): Promise<readonly Instance[]> {
    const alive = await this.#ask('list instances', (redis) => redis.flowAliveInstances(this.#keys.instances()));
    const leases = pairsOf(alive);
    const texts = await this.#redis.askMany(
      'read instances',
      leases.map(
        ([instanceId]) =>
          (to) =>
            to.get(this.#keys.instance(instanceId)),
      ),
    );
    const others: Instance[] = [];
    for (const [index, [instanceId, endsAt]] of leases.entries()) {
      const text = texts[index];
      const instance = read(text);
      if (!instance || typeof text !== 'string' || this.#isThis(instance)) continue;
      if (this.#isGone(instance)) await this.#replace(instanceId, endsAt, text);
      else others.push(instance);
    }
    return others;
  }

  #arm(): void {
    this.#cancel = this.#clock.after(this.#renewMs, () => {
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
    const self = await this.#describe();
    this.#self = self;
    const key = this.#keys.instance(self.instanceId);
    const holder = read(await this.#redis.ask('read instance', (client) => client.get(key)));
    // Somebody else runs under this id; `others` says so.
    if (holder && !this.#isThis(holder) && !this.#isGone(holder)) return;
    const text = JSON.stringify(self);
    await this.#redis.ask('register instance', (client) => client.set(key, text, 'PX', this.#leaseMs));
    this.#written = text;
    await this.#ask('hold instance', (redis) =>
      redis.flowHoldInstance(this.#keys.instances(), self.instanceId, this.#leaseMs),
    );
  }

  /** Whoever sees that a process is gone takes it out; one that has come in its place in the meantime stays. */
  async #replace(instanceId: string, endsAt: string, text: string): Promise<void> {
    await this.#ask('end instance', (redis) => redis.flowEndInstance(this.#keys.instances(), instanceId, endsAt));
    await this.#ask('erase instance', (redis) => redis.flowEraseInstance(this.#keys.instance(instanceId), text));
  }

  #isThis({ instanceId, host, pid, startedAt }: Instance): boolean {
    const self = this.#self;
    return (
      self !== undefined &&
      instanceId === self.instanceId &&
      host === self.host &&
      pid === self.pid &&
      startedAt === self.startedAt
    );
  }

  /**
   * A process of this host that has ended; also one whose pid is this process's now, as in a container, where every process has the same.
   * What started since this process began is another instance in it.
   */
  #isGone({ host, pid, startedAt }: Instance): boolean {
    const self = this.#self;
    if (self?.host !== host) return false;
    return pid === self.pid ? startedAt < Math.floor(performance.timeOrigin) : !this.#isAlive(pid);
  }

  #ask<Answer>(name: string, run: (redis: Scripts) => Promise<Answer>): Promise<Answer> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowHoldInstance(instances: string, instanceId: string, leaseMs: number): Promise<number>;
  flowAliveInstances(instances: string): Promise<string[]>;
  flowEndInstance(instances: string, instanceId: string, endsAt: string): Promise<number>;
  flowEraseInstance(instance: string, text: string): Promise<number>;
}

/** A later version may say more. */
const instanceText = z.object({
  instanceId: z.string(),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  backends: z.record(z.string(), z.string()),
  startedAt: z.number(),
  connections: z.int(),
  users: z.int(),
}) satisfies z.ZodType<Instance>;

function read(text: unknown): Instance | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    return instanceText.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function pairsOf(flat: readonly string[]): Array<[first: string, second: string]> {
  const pairs: Array<[string, string]> = [];
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([flat[index] ?? '', flat[index + 1] ?? '']);
  return pairs;
}
