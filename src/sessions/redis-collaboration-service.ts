import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { SessionInfo } from '../protocol/schemas';
import type { RedisKeys } from '../redis/keys';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import type { CollaborationService, SessionDraft } from './collaboration-service';

/** KEYS: session. ARGV: updatedAt, ms. Lets a view live on that shows this state of the session; returns whether there is one. */
const TOUCH = {
  numberOfKeys: 1,
  lua: `
if redis.call('HGET', KEYS[1], 'updatedAt') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
} as const;

/** KEYS: session. ARGV: ms, then names and values of all fields. */
const SHOW = {
  numberOfKeys: 1,
  lua: `
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
`,
} as const;

interface RedisCollaborationServiceOptions {
  /** Every answer is its answer. */
  readonly records: CollaborationService;
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly log: Logger;
  /** An unused session is shown for so long. */
  readonly ttlMs: number;
}

/**
 * Collaboration sessions with a view of each in Redis: `HGETALL flow:sessions:<id>`. The view is for people and programs that look; this
 * server never reads it, and goes on without it when it cannot be written.
 */
export class RedisCollaborationService implements CollaborationService {
  readonly #records: CollaborationService;
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #ttlMs: number;
  readonly #outage: Outage;
  /** Sessions whose view is being refreshed because somebody asked for them. */
  readonly #refreshing = new Set<string>();

  constructor({ records, redis, keys, log, ttlMs }: RedisCollaborationServiceOptions) {
    this.#records = records;
    this.#redis = redis;
    this.#keys = keys;
    this.#ttlMs = ttlMs;
    this.#outage = new Outage(log, {
      began: 'sessions cannot be shown in Redis; they work all the same',
      ended: 'sessions are shown in Redis again',
    });
    const client = redis.client('command');
    client.defineCommand('flowTouchSession', TOUCH);
    client.defineCommand('flowShowSession', SHOW);
  }

  async create(draft: SessionDraft): Promise<SessionInfo> {
    const session = await this.#records.create(draft);
    await this.#show(session.sessionId);
    return session;
  }

  /** Who asks for a session does not wait for its view. */
  async get(sessionId: string): Promise<SessionInfo | null> {
    const session = await this.#records.get(sessionId);
    if (session) void this.#refresh(session);
    return session;
  }

  list(query: { after?: string; limit: number; userId?: string }): Promise<{
    sessions: readonly SessionInfo[];
    next: string | null;
  }> {
    return this.#records.list(query);
  }

  async rename(sessionId: string, title: string): Promise<SessionInfo> {
    const session = await this.#records.rename(sessionId, title);
    await this.#show(sessionId);
    return session;
  }

  async duplicate(sourceId: string, draft: Omit<SessionDraft, 'format'>): Promise<SessionInfo> {
    const session = await this.#records.duplicate(sourceId, draft);
    await this.#show(session.sessionId);
    return session;
  }

  async close(sessionId: string): Promise<void> {
    await this.#records.close(sessionId);
    await this.#show(sessionId);
  }

  async touch(sessionIds: readonly string[]): Promise<void> {
    try {
      const keys = sessionIds.map((sessionId) => this.#keys.session(sessionId));
      const touched = await this.#redis.askMany(
        'touch sessions',
        keys.map((key) => (to) => to.pexpire(key, this.#ttlMs)),
      );
      this.#outage.worked();
      for (const [index, sessionId] of sessionIds.entries()) if (touched[index] === 0) await this.#show(sessionId);
    } catch (fault) {
      this.#outage.failed(fault);
    }
  }

  async #refresh({ sessionId, updatedAt }: SessionInfo): Promise<void> {
    if (this.#refreshing.has(sessionId)) return;
    this.#refreshing.add(sessionId);
    try {
      const touched = await this.#ask('touch session', (redis) =>
        redis.flowTouchSession(this.#keys.session(sessionId), updatedAt, this.#ttlMs),
      );
      this.#outage.worked();
      if (touched === 0) await this.#show(sessionId);
    } catch (fault) {
      this.#outage.failed(fault);
    } finally {
      this.#refreshing.delete(sessionId);
    }
  }

  /**
   * Shows what the record says. It may change, here or on another instance, while that is written; so it is read again after the write,
   * and whoever writes last has read last.
   */
  async #show(sessionId: string): Promise<void> {
    try {
      let session = await this.#records.get(sessionId);
      for (;;) {
        await this.#write(sessionId, session);
        const now = await this.#records.get(sessionId);
        if (isSame(now, session)) break;
        session = now;
      }
      this.#outage.worked();
    } catch (fault) {
      this.#outage.failed(fault);
    }
  }

  async #write(sessionId: string, session: SessionInfo | null): Promise<void> {
    const key = this.#keys.session(sessionId);
    if (session) {
      const fields = Object.entries(session).flatMap(([name, value]) => [name, String(value)]);
      await this.#ask('show session', (redis) => redis.flowShowSession(key, this.#ttlMs, ...fields));
    } else {
      await this.#redis.ask('hide session', (client) => client.del(key));
    }
  }

  #ask(name: string, run: (redis: Scripts) => Promise<number>): Promise<number> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowTouchSession(session: string, updatedAt: number, ttlMs: number): Promise<number>;
  flowShowSession(session: string, ttlMs: number, ...fields: string[]): Promise<number>;
}

const isSame = (one: SessionInfo | null, other: SessionInfo | null): boolean =>
  one?.updatedAt === other?.updatedAt && one?.title === other?.title;
