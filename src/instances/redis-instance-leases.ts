import type { RedisKeys } from '../redis/keys';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import { REDIS_NOW } from '../redis/redis-now';
import type { InstanceLease, InstanceLeases, LeaseAnswer, LeaseClaim } from './instance-leases';

/**
 * KEYS: instance. ARGV: text, what it said before or empty, ms. Says it, unless somebody else has the id: then returns what that one says. One
 * step, so that of two who come under one id only one gets it.
 */
const SAY = {
  numberOfKeys: 1,
  lua: `
local said = redis.call('GET', KEYS[1])
if said and said ~= ARGV[1] and said ~= ARGV[2] then return said end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return false
`,
} as const;

/**
 * KEYS: instances, arrivals. ARGV: instanceId, ms. Renews a lease; who has none gets one, and the last place. Returns 1 for a new one. One
 * step, so that whoever is not in the list yet comes behind all who are.
 */
const HOLD = {
  numberOfKeys: 2,
  lua: `
${REDIS_NOW}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', exact(now))) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
local isNew = redis.call('ZADD', KEYS[1], exact(now + tonumber(ARGV[2])), ARGV[1])
if isNew == 1 then
  local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  redis.call('ZADD', KEYS[2], exact(tonumber(last[2] or 0) + 1), ARGV[1])
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, exact(2 * tonumber(ARGV[2]))) end
return isNew
`,
} as const;

/** KEYS: instances, arrivals. Returns {instanceId, end of its lease, …} of all whose lease has not ended, in the order of their arrival. */
const LIST = {
  numberOfKeys: 2,
  lua: `
${REDIS_NOW}
local leases = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local endsAt = redis.call('ZSCORE', KEYS[1], id)
  if endsAt and tonumber(endsAt) > now then
    leases[#leases + 1] = id
    leases[#leases + 1] = endsAt
  end
end
return leases
`,
} as const;

/** KEYS: instances, arrivals. ARGV: instanceId, end of its lease. Removes a lease that nobody has renewed since it was read. */
const END = {
  numberOfKeys: 2,
  lua: `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
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

/** Leases in Redis, by its clock. What an instance says goes with its lease. */
export class RedisInstanceLeases implements InstanceLeases {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;

  constructor({ redis, keys }: { redis: RedisConnections; keys: RedisKeys }) {
    this.#redis = redis;
    this.#keys = keys;
    const client = redis.client('command');
    client.defineCommand('flowSayInstance', SAY);
    client.defineCommand('flowHoldInstance', HOLD);
    client.defineCommand('flowListInstances', LIST);
    client.defineCommand('flowEndInstance', END);
    client.defineCommand('flowEraseInstance', ERASE);
  }

  async hold({ instanceId, text, previous, leaseMs }: LeaseClaim): Promise<LeaseAnswer> {
    const taken = await this.#ask('register instance', (redis) =>
      redis.flowSayInstance(this.#keys.instance(instanceId), text, previous ?? '', leaseMs),
    );
    if (taken !== null) return { kind: 'taken', text: taken };
    const isNew = await this.#ask('hold instance', (redis) =>
      redis.flowHoldInstance(...this.#tables(), instanceId, leaseMs),
    );
    return { kind: isNew === 1 ? 'arrived' : 'kept' };
  }

  async list(): Promise<readonly InstanceLease[]> {
    const leases = pairsOf(await this.#ask('list instances', (redis) => redis.flowListInstances(...this.#tables())));
    const texts = await this.#redis.askMany(
      'read instances',
      leases.map(
        ([instanceId]) =>
          (to) =>
            to.get(this.#keys.instance(instanceId)),
      ),
    );
    return leases.flatMap(([instanceId, endsAt], index) => {
      const text = texts[index];
      return typeof text === 'string' ? [{ instanceId, text, endsAt }] : [];
    });
  }

  async end({ instanceId, text, endsAt }: InstanceLease): Promise<void> {
    await this.#ask('end instance', (redis) => redis.flowEndInstance(...this.#tables(), instanceId, endsAt));
    await this.#ask('erase instance', (redis) => redis.flowEraseInstance(this.#keys.instance(instanceId), text));
  }

  #tables(): [instances: string, arrivals: string] {
    return [this.#keys.instances(), this.#keys.instanceArrivals()];
  }

  #ask<Answer>(name: string, run: (redis: Scripts) => Promise<Answer>): Promise<Answer> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowSayInstance(instance: string, text: string, previous: string, leaseMs: number): Promise<string | null>;
  flowHoldInstance(instances: string, arrivals: string, instanceId: string, leaseMs: number): Promise<number>;
  flowListInstances(instances: string, arrivals: string): Promise<string[]>;
  flowEndInstance(instances: string, arrivals: string, instanceId: string, endsAt: string): Promise<number>;
  flowEraseInstance(instance: string, text: string): Promise<number>;
}

function pairsOf(flat: readonly string[]): Array<[first: string, second: string]> {
  const pairs: Array<[string, string]> = [];
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([flat[index] ?? '', flat[index + 1] ?? '']);
  return pairs;
}
