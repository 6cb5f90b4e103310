import type { ChainableCommander } from 'ioredis';
import type { Clock } from '../lib/clock';
import { type NestedMap, putNested, removeNested } from '../lib/nested-map';
import { readJson } from '../lib/parse';
import { type Participant, participant as participantSchema } from '../protocol/schemas';
import type { RedisKeys } from '../redis/keys';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import type { Participants } from './participants';
import { JOIN, LEAVE, LIST, RENEW } from './redis-participants-scripts';

/** Connections that one script renews; it takes about a microsecond for each. */
const RENEWED_TOGETHER = 500;
/** Leases after which a connection that nobody renews is forgotten here too; what Redis kept of it is gone by then. */
const FORGOTTEN_AFTER_LEASES = 2;

/** A participant whose connection is on this instance. */
interface Joined {
  /** As it stands in Redis. */
  readonly text: string;
  /** Monotonic milliseconds. */
  wantedAt: number;
}

interface RedisParticipantsOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly leaseMs: number;
}

/** Participants in Redis, shared by several instances; leases end by the clock of Redis. */
export class RedisParticipants implements Participants {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** sessionId → connectionId → who joined here. */
  readonly #joined: NestedMap<Joined> = new Map();
  /** connectionId → sessionId → the same. */
  readonly #byConnection: NestedMap<Joined> = new Map();

  constructor({ redis, keys, clock, leaseMs }: RedisParticipantsOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    const client = redis.client('command');
    client.defineCommand('flowJoin', JOIN);
    client.defineCommand('flowLeave', LEAVE);
    client.defineCommand('flowListParticipants', LIST);
    client.defineCommand('flowRenewParticipants', RENEW);
  }

  async join(sessionId: string, participant: Participant): Promise<number> {
    const { connectionId } = participant;
    const before = this.#joined.get(sessionId)?.get(connectionId);
    // Before Redis is asked: whoever leaves in the meantime leaves this.
    const joined = { text: JSON.stringify(participant), wantedAt: this.#clock.monotonic() };
    this.#put(sessionId, connectionId, joined);
    try {
      const at = await this.#ask('join', (redis) =>
        redis.flowJoin(...this.#names(sessionId), this.#leaseMs, connectionId, joined.text),
      );
      return Number(at);
    } catch (fault) {
      if (this.#joined.get(sessionId)?.get(connectionId) === joined) {
        this.#remove(sessionId, connectionId);
        if (before) this.#put(sessionId, connectionId, before);
      }
      throw fault;
    }
  }

  async leave(sessionId: string, connectionId: string): Promise<void> {
    this.#remove(sessionId, connectionId);
    await this.#ask('leave', (redis) => redis.flowLeave(...this.#names(sessionId), connectionId));
  }

  async list(sessionId: string): Promise<readonly Participant[]> {
    return readAll(await this.#ask('list', (redis) => redis.flowListParticipants(...this.#names(sessionId))));
  }

  async renew(connectionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const now = this.#clock.monotonic();
    const bySession = new Map<string, string[]>();
    for (const connectionId of connectionIds) {
      for (const [sessionId, joined] of this.#byConnection.get(connectionId) ?? []) {
        joined.wantedAt = now;
        const pairs = bySession.get(sessionId) ?? [];
        bySession.set(sessionId, pairs);
        pairs.push(connectionId, joined.text);
      }
    }
    this.#forget();
    const parts = [...bySession].flatMap(([sessionId, pairs]) =>
      inParts(pairs, 2 * RENEWED_TOGETHER).map((part) => ({ sessionId, part })),
    );
    const counts = await this.#redis.askMany(
      'renew',
      parts.map(
        ({ sessionId, part }) =>
          (to: ChainableCommander) =>
            scriptsOf(to).flowRenewParticipants(...this.#names(sessionId), this.#leaseMs, ...part),
      ),
    );
    const shared = new Set<string>();
    parts.forEach(({ sessionId }, index) => {
      if (Number(counts[index]) > (bySession.get(sessionId)?.length ?? 0) / 2) shared.add(sessionId);
    });
    return shared;
  }

  /** Whom nobody renews. */
  #forget(): void {
    const before = this.#clock.monotonic() - FORGOTTEN_AFTER_LEASES * this.#leaseMs;
    for (const [sessionId, people] of this.#joined) {
      for (const [connectionId, { wantedAt }] of people) if (wantedAt < before) this.#remove(sessionId, connectionId);
    }
  }

  #put(sessionId: string, connectionId: string, joined: Joined): void {
    putNested(this.#joined, sessionId, connectionId, joined);
    putNested(this.#byConnection, connectionId, sessionId, joined);
  }

  #remove(sessionId: string, connectionId: string): void {
    removeNested(this.#joined, sessionId, connectionId);
    removeNested(this.#byConnection, connectionId, sessionId);
  }

  #names(sessionId: string): [participants: string, leases: string] {
    return [this.#keys.participants(sessionId), this.#keys.participantLeases(sessionId)];
  }

  #ask<Answer>(name: string, run: (redis: Scripts) => Promise<Answer>): Promise<Answer> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

type Names = [participants: string, leases: string];

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowJoin(...given: [...Names, leaseMs: number, connectionId: string, participant: string]): Promise<unknown>;
  flowLeave(...given: [...Names, connectionId: string]): Promise<unknown>;
  flowListParticipants(...given: Names): Promise<unknown>;
  flowRenewParticipants(
    ...given: [...Names, leaseMs: number, ...connectionsAndParticipants: string[]]
  ): Promise<unknown>;
}

/** A pipeline has them too. */
const scriptsOf = (pipeline: ChainableCommander): Scripts => pipeline as ChainableCommander & Scripts;

/** A later version may say more of a participant; one that says something else is passed over. */
const kept = participantSchema.strip();

function readAll(texts: unknown): Participant[] {
  if (!Array.isArray(texts)) return [];
  return (texts as readonly unknown[]).flatMap((text) => {
    const read = readJson(kept, text);
    return read ? [read] : [];
  });
}

function inParts<Item>(items: readonly Item[], size: number): Item[][] {
  const parts: Item[][] = [];
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size));
  return parts;
}
