import { entryTag } from '../../src/ordering/tag';
import { GENESIS, isSameMark, type Mark } from '../../src/protocol/positions';
import type { Announcements, Batch, ClientCredentials, Replies, RequestInputs } from '../../src/protocol/schemas';
import { eventually } from './eventually';
import type { WireClient } from './wire-client';

type WireEntry = Batch['entries'][number];

interface FollowOptions {
  readonly client?: ClientCredentials;
  readonly have?: { epoch: number; head: Mark; saved: Mark };
  /** What it knows already, when it comes back with `have`. */
  readonly known?: readonly WireEntry[];
  /** Entries per page while it catches up. */
  readonly limit?: number;
  /** The connection is in the session already, so batches of before may still come until the reply does. */
  readonly isAgain?: boolean;
}

/**
 * A reader who trusts nobody: joins a session and holds every page and every frame against what came before (DL1), and
 * every tag against the content. Faults are kept, so that nothing is swallowed by an event listener.
 */
export class Follower {
  readonly client: WireClient;
  readonly sessionId: string;
  readonly entries: WireEntry[];
  readonly faults: string[] = [];
  head: Mark;
  epoch = 0;
  saved = 0;
  pages = 0;
  #reply: Replies['session:join'] | undefined;
  #isIn = false;
  readonly #isAgain: boolean;
  readonly #marks = new Map<number, Mark>();

  private constructor(client: WireClient, sessionId: string, { have, known = [], isAgain = false }: FollowOptions) {
    this.client = client;
    this.sessionId = sessionId;
    this.entries = [...known];
    this.head = have?.head ?? GENESIS;
    this.#isAgain = isAgain;
    client.socket.on('operation:batch', (batch: Batch) => this.#onBatch(batch));
    client.socket.on('operation:saved', ({ sessionId: id, saved }: Announcements['operation:saved']) => {
      if (id === sessionId && this.#reply) this.#onSaved(saved);
    });
  }

  /** Joins and pages until nothing is missing. */
  static async join(client: WireClient, sessionId: string, options: FollowOptions = {}): Promise<Follower> {
    const follower = new Follower(client, sessionId, options);
    const { have, client: credentials, limit } = options;
    const request: RequestInputs['session:join'] = {
      sessionId,
      ...(credentials ? { client: credentials } : {}),
      ...(have ? { have } : {}),
    };
    await client.demandThen('session:join', request, (reply) => follower.#onJoined(reply));
    while (!follower.#isIn) {
      const after = follower.head;
      const page: RequestInputs['operation:catch-up'] = { sessionId, after, ...(limit === undefined ? {} : { limit }) };
      await client.demandThen('operation:catch-up', page, (reply) => follower.#onPage(reply));
    }
    return follower;
  }

  get reply(): Replies['session:join'] {
    if (!this.#reply) throw new Error('not joined');
    return this.#reply;
  }

  get credentials(): ClientCredentials {
    const { clientId, signature } = this.reply.client;
    return { clientId, signature };
  }

  /** The mark of the history where an entry ends. */
  markAt(seq: number): Mark {
    const mark = this.#marks.get(seq);
    if (!mark) throw new Error(`no entry ends at ${seq}`);
    return mark;
  }

  get operations(): unknown[] {
    return this.entries.flatMap(({ operations }) => operations);
  }

  async reach(seq: number): Promise<void> {
    await eventually(`a follower is at ${seq}`, () => {
      const isThere = this.head.seq >= seq && this.faults.length === 0;
      if (!isThere) throw new Error(`at ${this.head.seq}, faults: ${this.faults.join('; ') || 'none'}`);
    });
  }

  async reachSaved(seq: number): Promise<void> {
    await eventually(`${seq} is saved`, () => {
      if (this.saved < seq) throw new Error(`saved ${this.saved} of ${this.head.seq}`);
    });
  }

  #onJoined(reply: Replies['session:join']): void {
    this.#reply = reply;
    this.epoch = reply.head.epoch;
    this.saved = reply.saved.seq;
    if (reply.resume === 'start') {
      this.head = reply.snapshot ?? GENESIS;
      this.entries.length = 0;
    } else if (reply.resume !== 'continue') {
      const { base } = reply.resume.fork;
      this.head = base;
      while ((this.entries.at(-1)?.seq ?? 0) > base.seq) this.entries.pop();
    }
    this.#onPage(reply);
  }

  #onPage({ entries, next, more }: { entries: readonly WireEntry[]; next: Mark; more: boolean }): void {
    this.pages += 1;
    this.#apply(entries, 'a page');
    if (!isSameMark(this.head, next))
      this.#fault(`a page ends at ${JSON.stringify(next)}, not at ${JSON.stringify(this.head)}`);
    this.#isIn = !more;
  }

  #onBatch(batch: Batch): void {
    if (batch.sessionId !== this.sessionId || (this.#isAgain && !this.#reply)) return;
    if (!this.#isIn) return this.#fault(`a batch came before the last page, at ${this.head.seq}`);
    const before = { seq: batch.prevSeq, tag: batch.prevTag };
    if (!isSameMark(before, this.head)) {
      return this.#fault(`a batch after ${before.seq} came at ${this.head.seq}`);
    }
    if (batch.epoch < this.epoch) this.#fault('the epoch went back');
    this.epoch = batch.epoch;
    if (batch.entries.length === 0) this.#fault('an empty batch');
    this.#apply(batch.entries, 'a batch');
    if (batch.tag !== this.head.tag) this.#fault('a batch ends with another tag than its content has');
    this.#onSaved(batch.saved);
  }

  #onSaved(saved: number): void {
    if (saved < this.saved) this.#fault(`saved went back from ${this.saved} to ${saved}`);
    if (saved > this.head.seq) this.#fault(`${saved} is saved, but only ${this.head.seq} was delivered`);
    this.saved = saved;
  }

  #apply(entries: readonly WireEntry[], what: string): void {
    for (const entry of entries) {
      const { seq, clientId, clientSeq, operations } = entry;
      const count = operations.length;
      if (seq !== this.head.seq + count)
        this.#fault(`in ${what} an entry ends at ${seq} with ${count} after ${this.head.seq}`);
      const identity = {
        prevTag: this.head.tag,
        clientId,
        clientSeq,
        count,
        seq,
        operations: JSON.stringify(operations),
      };
      this.head = { seq, tag: entryTag(identity) };
      this.#marks.set(seq, this.head);
      this.entries.push(entry);
    }
  }

  #fault(fault: string): void {
    this.faults.push(fault);
  }
}
