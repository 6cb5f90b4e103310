import type { EventOrdering, Hint, Submission } from '../../../src/ordering/event-ordering';
import type { ClientRow } from '../../../src/protocol/entry';
import type { Mark, Position } from '../../../src/protocol/positions';
import type { RedisKeys } from '../../../src/redis/keys';
import type { RedisConnections } from '../../../src/redis/redis-connections';
import type { SharedLog } from './hot-log';

/** What Redis held of a session at some time, as DUMP has it; null: nothing. */
type Copy = ReadonlyArray<Buffer | null>;

interface RedisHotLogOptions {
  readonly sessionId: string;
  readonly ordering: EventOrdering;
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
}

/**
 * The hot log of one session in a real Redis, and what can go wrong with it there: its keys are gone, or are what they were some entries ago.
 * Everything goes over one connection, so that a copy shows what the step before it left.
 */
export class RedisHotLog implements SharedLog {
  readonly scope = 'shared';
  overruled = 0;
  readonly #options: RedisHotLogOptions;
  readonly #names: readonly string[];
  /** Before the first entry after seeding, and after every accepted one; the newest last. */
  #copies: Array<{ readonly hasEntry: boolean; readonly copy: Promise<Copy> }> = [];

  constructor(options: RedisHotLogOptions) {
    const { sessionId, keys } = options;
    this.#options = options;
    this.#names = [keys.orderingMeta(sessionId), keys.orderingLog(sessionId), keys.orderingClients(sessionId)];
  }

  get hasEntries(): boolean {
    return this.#copies.some(({ hasEntry }) => hasEntry);
  }

  describe(sessionIds: readonly string[]): ReturnType<EventOrdering['describe']> {
    return this.#options.ordering.describe(sessionIds);
  }

  async seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    const before = this.#options.ordering.describe([sessionId]);
    const seeding = this.#options.ordering.seed(sessionId, epoch, head);
    const copy = this.#copy();
    const [[log], isSeeded] = await Promise.all([before, seeding]);
    if (log && isSeeded && log.epoch >= epoch) this.overruled += 1;
    if (isSeeded) this.#copies.push({ hasEntry: false, copy });
    return isSeeded;
  }

  admit(sessionId: string, epoch: number, clientId: string, stored: ClientRow | null) {
    return this.#options.ordering.admit(sessionId, epoch, clientId, stored);
  }

  async append(sessionId: string, submission: Submission): ReturnType<EventOrdering['append']> {
    const appending = this.#options.ordering.append(sessionId, submission);
    const copy = this.#copy();
    const result = await appending;
    if (result.status === 'accepted') this.#copies.push({ hasEntry: true, copy });
    return result;
  }

  read(sessionId: string, afterSeq: number, maxBytes: number): ReturnType<EventOrdering['read']> {
    return this.#options.ordering.read(sessionId, afterSeq, maxBytes);
  }

  markSaved(sessionId: string, saved: Position): Promise<void> {
    return this.#options.ordering.markSaved(sessionId, saved);
  }

  follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    return this.#options.ordering.follow(sessionId, onHint);
  }

  release(sessionId: string): Promise<void> {
    return this.#options.ordering.release(sessionId);
  }

  async vanish(): Promise<boolean> {
    this.#copies = [];
    return (await this.#client().del(...this.#names)) > 0;
  }

  async fallBack(entries: number): Promise<number> {
    let lost = 0;
    let end = this.#copies.length;
    for (let index = end - 1; index > 0 && lost < entries; index -= 1) {
      if (!this.#copies[index]?.hasEntry) continue;
      lost += 1;
      end = index;
    }
    if (lost === 0) return 0;
    this.#copies = this.#copies.slice(0, end);
    const copy = await this.#copies[end - 1]?.copy;
    await Promise.all(
      this.#names.map((name, index) => {
        const dump = copy?.[index];
        return dump ? this.#client().restore(name, 0, dump, 'REPLACE') : this.#client().del(name);
      }),
    );
    return lost;
  }

  /** As it is behind everything that was sent until now. */
  #copy(): Promise<Copy> {
    const copy = Promise.all(this.#names.map((name) => this.#client().dumpBuffer(name)));
    // Whoever restores it hears of it.
    copy.catch(() => {});
    return copy;
  }

  #client() {
    return this.#options.redis.client('command');
  }
}
