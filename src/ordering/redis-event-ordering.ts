import type { Redis } from 'ioredis';
import type { Clock } from '../lib/clock';
import type { ClientRow, Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { Mark, Position } from '../protocol/positions';
import type { RedisClient } from '../redis/redis-clients';
import type { RedisConnections } from '../redis/redis-connections';
import type { RedisHints } from '../redis/redis-hints';
import type { RedisKeys } from '../redis/keys';
import type { Admitted, AppendResult, EventOrdering, Hint, HotLog, Submission } from './event-ordering';
import { readEntry, readHint, readId, writeClientRow } from './redis-entry-text';
import { ADMIT, APPEND, KEEP_OPEN, MARK_SAVED, READ, RELEASE, SEED } from './redis-ordering-scripts';

/** Larger entries are read from the log by whoever needs them. */
const MAX_HINT_BYTES = 16_384;
/** Entries a read looks at per step inside Redis; with small ones a step is less than a millisecond. */
const READ_STEP = 256;
/** A released session's keys stay for those who come right back. */
const IDLE_TTL_MS = 60_000;

const META_FIELDS = ['epoch', 'seq', 'tag', 'savedSeq', 'savedTag', 'floor', 'idle'] as const;
type MetaRow = ReadonlyArray<string | null>;

interface RedisEventOrderingOptions {
  readonly redis: RedisConnections;
  readonly hints: RedisHints;
  readonly keys: RedisKeys;
  readonly clock: Clock;
}

/** Event ordering in Redis: one script per step, so that several instances share one order. */
export class RedisEventOrdering implements EventOrdering {
  readonly scope = 'shared';
  readonly #redis: RedisConnections;
  readonly #hints: RedisHints;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  /** Sharded in a cluster: a hint goes to the node that has the session's keys, and no further. */
  readonly #publish: 'PUBLISH' | 'SPUBLISH';

  constructor({ redis, hints, keys, clock }: RedisEventOrderingOptions) {
    this.#redis = redis;
    this.#hints = hints;
    this.#keys = keys;
    this.#clock = clock;
    this.#publish = redis.isCluster ? 'SPUBLISH' : 'PUBLISH';
    defineScripts(redis.client('command'));
  }

  async describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>> {
    const rows = await this.#redis.askMany(
      'describe',
      sessionIds.map((sessionId) => (to) => to.hmget(this.#keys.orderingMeta(sessionId), ...META_FIELDS)),
    );
    return sessionIds.map((sessionId, index) => {
      const row = rows[index] as MetaRow;
      // Another instance has closed it, and does not know that it is open here.
      if (typeof row[6] === 'string' && this.#hints.isFollowed(this.#keys.orderingLive(sessionId)))
        this.#keepOpen(sessionId);
      return hotLogOf(row);
    });
  }

  async seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    const { meta, log, clients } = this.#names(sessionId);
    const seeded = await this.#ask('seed', (redis) =>
      redis.flowSeed(meta, log, clients, epoch, head.seq, head.tag, IDLE_TTL_MS),
    );
    return seeded === 1;
  }

  async admit(
    sessionId: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): Promise<Admitted | 'wrong-epoch'> {
    const { meta, log, clients } = this.#names(sessionId);
    const row = stored ? writeClientRow(stored) : '';
    const answer = await this.#ask('admit', (redis) => redis.flowAdmit(meta, log, clients, epoch, clientId, row));
    if (answer === null) return 'wrong-epoch';
    const [last, seq, kept] = answer;
    if (kept !== '') await this.#mark(sessionId);
    return { lastClientSeq: Number(last), seq: Number(seq) };
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const { epoch, clientId, userId, firstClientSeq, count, operations, base } = submission;
    const { meta, log, clients, live } = this.#names(sessionId);
    const at = this.#clock.now();
    const [status, first = '', second = '', third = '', kept = ''] = await this.#ask('append', (redis) =>
      redis.flowAppend(
        ...[meta, log, clients],
        ...[epoch, clientId, firstClientSeq, count, operations, JSON.stringify(userId), at],
        ...[base ? base.seq : '', base ? base.tag : '', MAX_HINT_BYTES, this.#publish, live],
      ),
    );
    switch (status) {
      case 'accepted': {
        if (kept !== '') await this.#mark(sessionId);
        const clientSeq = firstClientSeq + count - 1;
        const placed = { epoch, seq: Number(first), count, prevTag: second, tag: third };
        return { status, entry: { ...placed, clientId, clientSeq, userId, at, operations } };
      }
      case 'duplicate':
        return { status, epoch, seq: Number(first) };
      case 'gap':
        return { status, expectedClientSeq: Number(first) };
      case 'stale-base':
        return { status, head: { seq: Number(first), tag: second } };
      case 'conflict':
      case 'client-unknown':
      case 'wrong-epoch':
        return { status };
      default:
        throw new FlowError('INTERNAL');
    }
  }

  async read(sessionId: string, afterSeq: number, maxBytes: number): Promise<{ log: HotLog; entries: Entry[] } | null> {
    const { meta, log } = this.#names(sessionId);
    const answer = await this.#ask('read', (redis) => redis.flowRead(meta, log, afterSeq, maxBytes, READ_STEP));
    if (!answer) return null;
    const [row, found] = answer;
    const hotLog = hotLogOf(row);
    if (!hotLog) return null;
    const entries = found.map(([id, [, text]]) => {
      const { epoch, seq } = readId(id);
      return readEntry(epoch, seq, text);
    });
    return { log: hotLog, entries };
  }

  async markSaved(sessionId: string, { epoch, seq, tag }: Position): Promise<void> {
    const { meta, log, live } = this.#names(sessionId);
    await this.#ask('mark saved', (redis) => redis.flowMarkSaved(meta, log, epoch, seq, tag, this.#publish, live));
  }

  follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    return this.#hints.follow(this.#keys.orderingLive(sessionId), (message) => {
      const hint = readHint(message);
      if (hint) onHint(hint);
    });
  }

  async release(sessionId: string): Promise<void> {
    const { meta, log, clients } = this.#names(sessionId);
    const isDone = await this.#ask('release', (redis) => redis.flowRelease(meta, log, clients, IDLE_TTL_MS));
    if (isDone === 1) await this.#unmark(sessionId);
  }

  #keepOpen(sessionId: string): void {
    const { meta, log, clients } = this.#names(sessionId);
    const keeping = this.#ask('keep open', (redis) => redis.flowKeepOpen(meta, log, clients));
    // The next audit tries again.
    keeping.then(() => this.#mark(sessionId)).catch(() => {});
  }

  /** It may have unsaved entries from now on (SV2). */
  async #mark(sessionId: string): Promise<void> {
    await this.#redis.ask('mark unsaved', (client) => client.sadd(this.#keys.orderingUnsaved(), sessionId));
  }

  /** Somebody may use it again between the look and the removal, and mark it before the removal; a second look puts it back. */
  async #unmark(sessionId: string): Promise<void> {
    const { meta } = this.#names(sessionId);
    await this.#redis.ask('unmark', (client) => client.srem(this.#keys.orderingUnsaved(), sessionId));
    const [epoch, idle] = await this.#redis.ask('look again', (client) => client.hmget(meta, 'epoch', 'idle'));
    if (epoch !== null && idle === null) await this.#mark(sessionId);
  }

  #names(sessionId: string) {
    const keys = this.#keys;
    return {
      meta: keys.orderingMeta(sessionId),
      log: keys.orderingLog(sessionId),
      clients: keys.orderingClients(sessionId),
      live: keys.orderingLive(sessionId),
    };
  }

  #ask<Answer>(name: string, run: (redis: Scripts) => Promise<Answer>): Promise<Answer> {
    return this.#redis.ask(name, (client) => run(client as RedisClient & Scripts));
  }
}

type Argument = string | number;

/** The scripts as the client library offers them once they are defined. */
interface Scripts {
  flowAppend(...given: Argument[]): Promise<string[]>;
  flowAdmit(...given: Argument[]): Promise<[last: string, seq: string, kept: string] | null>;
  flowSeed(...given: Argument[]): Promise<number>;
  flowRead(...given: Argument[]): Promise<[MetaRow, Array<[id: string, fields: [name: string, text: string]]>] | null>;
  flowMarkSaved(...given: Argument[]): Promise<number>;
  flowRelease(...given: Argument[]): Promise<number>;
  flowKeepOpen(...given: Argument[]): Promise<number>;
}

function defineScripts(client: RedisClient): void {
  const define = (name: keyof Scripts, script: Parameters<Redis['defineCommand']>[1]): void =>
    client.defineCommand(name, script);
  define('flowAppend', APPEND);
  define('flowAdmit', ADMIT);
  define('flowSeed', SEED);
  define('flowRead', READ);
  define('flowMarkSaved', MARK_SAVED);
  define('flowRelease', RELEASE);
  define('flowKeepOpen', KEEP_OPEN);
}

function hotLogOf([epoch, seq, tag, savedSeq, savedTag, floor]: MetaRow): HotLog | null {
  if (epoch === null || epoch === undefined) return null;
  return {
    epoch: Number(epoch),
    head: { seq: Number(seq), tag: tag ?? '' },
    saved: { seq: Number(savedSeq), tag: savedTag ?? '' },
    floor: Number(floor),
  };
}
