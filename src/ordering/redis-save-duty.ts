import { sessionId } from '../protocol/schemas';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import type { RedisKeys } from '../redis/keys';
import type { EventOrdering } from './event-ordering';
import type { SaveDuty } from './save-duty';

/** KEYS: saver. ARGV: instance, ms. Returns 1 where the lease is the instance's now. */
const CLAIM = {
  numberOfKeys: 1,
  lua: `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
} as const;

/** KEYS: saver. ARGV: instance. Gives back what is the instance's own. */
const RELEASE = {
  numberOfKeys: 1,
  lua: `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`,
} as const;

interface RedisSaveDutyOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly ordering: Pick<EventOrdering, 'describe' | 'release'>;
  readonly instanceId: string;
  /** Without a word from its holder a lease ends after this time, and another instance saves. */
  readonly leaseMs: number;
}

/**
 * Save leases in Redis. A set names the sessions that may have unsaved entries (SV2): a session is put in with every claim, so before its
 * first append; its order takes it out when it is released and all of it is saved.
 */
export class RedisSaveDuty implements SaveDuty {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #ordering: Pick<EventOrdering, 'describe' | 'release'>;
  readonly #instanceId: string;
  readonly #leaseMs: number;

  constructor({ redis, keys, ordering, instanceId, leaseMs }: RedisSaveDutyOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#ordering = ordering;
    this.#instanceId = instanceId;
    this.#leaseMs = leaseMs;
    const client = redis.client('command');
    client.defineCommand('flowClaim', CLAIM);
    client.defineCommand('flowUnclaim', RELEASE);
  }

  async claim(sessionIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (sessionIds.length === 0) return new Set();
    await this.#redis.ask('mark unsaved', (client) => client.sadd(this.#keys.orderingUnsaved(), ...sessionIds));
    const granted = await Promise.all(
      sessionIds.map((sessionId) =>
        this.#ask('claim', (client) =>
          client.flowClaim(this.#keys.orderingSaver(sessionId), this.#instanceId, this.#leaseMs),
        ),
      ),
    );
    return new Set(sessionIds.filter((_, index) => granted[index] === 1));
  }

  async release(sessionIds: readonly string[]): Promise<void> {
    await Promise.all(
      sessionIds.map((sessionId) =>
        this.#ask('unclaim', (client) => client.flowUnclaim(this.#keys.orderingSaver(sessionId), this.#instanceId)),
      ),
    );
  }

  async orphans(): Promise<readonly string[]> {
    const marked = await this.#redis.ask('read unsaved', (client) => client.smembers(this.#keys.orderingUnsaved()));
    const { orphans, done } = await this.#sort(await this.#unheld(marked.filter(isSessionId)));
    // Whoever had them open is gone without a word: nobody else lets go of them.
    await Promise.all(done.map((sessionId) => this.#ordering.release(sessionId)));
    return orphans;
  }

  async #unheld(sessionIds: readonly string[]): Promise<string[]> {
    const held = await this.#redis.askMany(
      'read leases',
      sessionIds.map((sessionId) => (to) => to.exists(this.#keys.orderingSaver(sessionId))),
    );
    return sessionIds.filter((_, index) => held[index] === 0);
  }

  async #sort(sessionIds: readonly string[]): Promise<{ orphans: string[]; done: string[] }> {
    const logs = await this.#ordering.describe(sessionIds);
    const isUnsaved = (index: number): boolean => {
      const log = logs[index];
      return log ? log.head.seq > log.saved.seq : false;
    };
    return {
      orphans: sessionIds.filter((_, index) => isUnsaved(index)),
      done: sessionIds.filter((_, index) => !isUnsaved(index)),
    };
  }

  #ask(name: string, run: (client: Scripts) => Promise<number>): Promise<number> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

/** Whoever may write to Redis may have put anything there. */
const isSessionId = (text: string): boolean => sessionId.safeParse(text).success;

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowClaim(saver: string, instanceId: string, leaseMs: number): Promise<number>;
  flowUnclaim(saver: string, instanceId: string): Promise<number>;
}
