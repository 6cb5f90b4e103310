import { entryTag } from '../../../src/ordering/tag';
import type { WireEntry } from '../../../src/protocol/entry';
import { DEFAULT_LIMITS } from '../../../src/client/limits';
import { FlowError } from '../../../src/protocol/errors';
import { GENESIS, type Mark } from '../../../src/protocol/positions';
import type { Announcements, Participant, Replies, RequestInputs, WireSnapshot } from '../../../src/protocol/schemas';

export interface SimulatedEntry extends WireEntry {
  readonly prevTag: string;
  readonly tag: string;
}

/** What a connection is to the server: where announcements go. */
export interface SimulatedPeer {
  readonly announce: <Name extends 'operation:batch' | 'operation:saved' | 'session:forked' | 'session:closed'>(
    name: Name,
    payload: Announcements[Name],
  ) => void;
}

const SESSION = { sessionId: 's', title: '', format: 'json', createdBy: 'u', createdAt: 0, updatedAt: 0 } as const;
const PAGE_ENTRIES = 3;

/**
 * One session as the rules have it, in a few plain lines and without a network: what it accepts is ordered, what it saves
 * survives `kill`, and everything it does happens when the schedule says so.
 */
export class SimulatedServer {
  epoch = 1;
  entries: SimulatedEntry[] = [];
  savedSeq = 0;
  snapshot: WireSnapshot | null = null;
  /** What lies below can no longer be read. */
  prunedSeq = 0;
  nextClient = 1;
  /** Peers in the room, and the client each speaks for. */
  readonly members = new Map<SimulatedPeer, { clientId: string; isInRoom: boolean }>();
  #unannounced: SimulatedEntry[] = [];
  readonly counts = { forks: 0, starts: 0, continues: 0, duplicates: 0, pages: 0, conflicts: 0, gaps: 0 };

  get head(): Mark {
    const last = this.entries[this.entries.length - 1];
    return last ? { seq: last.seq, tag: last.tag } : GENESIS;
  }

  join(peer: SimulatedPeer, { client, have }: RequestInputs['session:join']): Replies['session:join'] {
    this.flush();
    const clientId = client?.clientId ?? `client-${this.nextClient++}`;
    for (const [other, member] of this.members) {
      if (member.clientId !== clientId || other === peer) continue;
      other.announce('session:closed', { sessionId: 's', reason: 'replaced' });
      this.members.delete(other);
    }
    const { resume, after, snapshot } = this.#wayIn(have);
    const page = this.#page(after);
    this.members.set(peer, { clientId, isInRoom: !page.more });
    const participant: Participant = { connectionId: 'x', clientId, userId: 'u', role: 'editor' };
    return {
      session: SESSION,
      client: { clientId, signature: 'signed', lastClientSeq: this.#lastOf(clientId)?.clientSeq ?? 0 },
      role: 'editor',
      head: { epoch: this.epoch, ...this.head },
      saved: { epoch: this.epoch, ...this.#markAt(this.savedSeq) },
      resume,
      ...(snapshot ? { snapshot } : {}),
      ...page,
      participants: [participant],
      awareness: {},
      limits: DEFAULT_LIMITS,
    };
  }

  catchUp(peer: SimulatedPeer, { after }: RequestInputs['operation:catch-up']): Replies['operation:catch-up'] {
    const member = this.members.get(peer);
    if (!member || !this.#isOnChain(after)) throw new FlowError('NOT_JOINED');
    this.counts.pages += 1;
    this.flush();
    const page = this.#page(after);
    if (!page.more) member.isInRoom = true;
    return { ...page, head: { epoch: this.epoch, ...this.head } };
  }

  /** `clientId` is the one the connection spoke for when it sent this. */
  submit(clientId: string | undefined, request: RequestInputs['operation:submit']): Replies['operation:submit'] {
    if (clientId === undefined) throw new FlowError('NOT_JOINED');
    const { clientSeq: first, operations, base } = request;
    const last = this.#lastOf(clientId);
    const lastSeq = last?.clientSeq ?? 0;
    const end = first + operations.length - 1;
    if (last && end <= lastSeq) {
      const isLast = first === lastSeq - last.operations.length + 1;
      if (end === lastSeq && (!isLast || JSON.stringify(last.operations) !== JSON.stringify(operations))) {
        this.counts.conflicts += 1;
        throw new FlowError('CLIENT_SEQ_CONFLICT');
      }
      this.counts.duplicates += 1;
      return { epoch: last.epoch, seq: last.seq, duplicate: true };
    }
    if (first !== lastSeq + 1) {
      this.counts.gaps += 1;
      throw new FlowError('CLIENT_SEQ_GAP', undefined, { expected: lastSeq + 1 });
    }
    if (base && (base.seq !== this.head.seq || base.tag !== this.head.tag)) {
      throw new FlowError('STALE_BASE', undefined, { head: this.head });
    }
    const { seq, tag: prevTag } = this.head;
    const identity = { prevTag, clientId, clientSeq: end, count: operations.length, seq: seq + operations.length };
    const tag = entryTag({ ...identity, operations: JSON.stringify(operations) });
    const entry = { ...identity, tag, epoch: this.epoch, userId: 'u', at: 0, operations: [...operations] };
    this.entries.push(entry);
    this.#unannounced.push(entry);
    return { epoch: this.epoch, seq: entry.seq };
  }

  /** Announces what was ordered since, in one frame. */
  flush(): void {
    const [first] = this.#unannounced;
    const last = this.#unannounced[this.#unannounced.length - 1];
    if (!first || !last) return;
    const prevSeq = first.seq - first.operations.length;
    const { epoch, savedSeq: saved } = this;
    const entries = this.#unannounced.map(toWire);
    this.#unannounced = [];
    this.#toRoom('operation:batch', {
      sessionId: 's',
      epoch,
      prevSeq,
      prevTag: first.prevTag,
      entries,
      tag: last.tag,
      saved,
    });
  }

  /** Saves so many entries more, and says so when everything ordered was announced. */
  save(count: number): void {
    const next = this.entries.filter(({ seq }) => seq > this.savedSeq).slice(0, count);
    this.savedSeq = next[next.length - 1]?.seq ?? this.savedSeq;
    if (this.#unannounced.length > 0) return;
    const { seq, tag } = this.#markAt(this.savedSeq);
    this.#toRoom('operation:saved', { sessionId: 's', epoch: this.epoch, saved: seq, tag });
  }

  /** Folds what is saved. */
  fold(): void {
    const { seq, tag } = this.#markAt(this.savedSeq);
    const folded = this.entries.filter((entry) => entry.seq <= seq).flatMap(({ operations }) => operations);
    this.snapshot = { seq, tag, payload: folded };
  }

  /** Forgets the entries below the snapshot: who was away for longer begins anew. */
  prune(): void {
    this.prunedSeq = this.snapshot?.seq ?? 0;
  }

  /** The process dies; what was not saved is gone, and every connection with it. */
  kill(): void {
    this.entries = this.entries.filter(({ seq }) => seq <= this.savedSeq);
    this.#unannounced = [];
    this.epoch += 1;
    this.members.clear();
  }

  /** The same while the process lives: a discontinuity. */
  fork(): void {
    const members = [...this.members.keys()];
    this.kill();
    for (const peer of members) peer.announce('session:forked', { sessionId: 's', epoch: this.epoch, head: this.head });
  }

  /** A newer epoch over the same history: nobody is told. */
  reopen(): void {
    this.flush();
    this.epoch += 1;
  }

  #toRoom<Name extends 'operation:batch' | 'operation:saved'>(name: Name, payload: Announcements[Name]): void {
    for (const [peer, { isInRoom }] of this.members) if (isInRoom) peer.announce(name, payload);
  }

  #wayIn(have: RequestInputs['session:join']['have']): {
    resume: Replies['session:join']['resume'];
    after: Mark;
    snapshot: WireSnapshot | null;
  } {
    if (have && this.#isOnChain(have.head)) {
      this.counts.continues += 1;
      return { resume: 'continue', after: have.head, snapshot: null };
    }
    if (have && this.#isOnChain(have.saved)) {
      this.counts.forks += 1;
      return { resume: { fork: { base: have.saved } }, after: have.saved, snapshot: null };
    }
    this.counts.starts += 1;
    return { resume: 'start', after: this.snapshot ?? GENESIS, snapshot: this.snapshot };
  }

  #isOnChain(mark: Mark): boolean {
    if (mark.seq < this.prunedSeq) return false;
    return (
      this.#markAt(mark.seq).tag === mark.tag && (mark.seq === 0 || this.entries.some(({ seq }) => seq === mark.seq))
    );
  }

  #markAt(seq: number): Mark {
    return { seq, tag: this.entries.find((entry) => entry.seq === seq)?.tag ?? '' };
  }

  #page(after: Mark): { entries: WireEntry[]; next: Mark; more: boolean } {
    const rest = this.entries.filter(({ seq }) => seq > after.seq);
    const page = rest.slice(0, PAGE_ENTRIES);
    const last = page[page.length - 1];
    return {
      entries: page.map(toWire),
      next: last ? { seq: last.seq, tag: last.tag } : { seq: after.seq, tag: after.tag },
      more: page.length < rest.length,
    };
  }

  #lastOf(clientId: string): SimulatedEntry | undefined {
    return this.entries.findLast((entry) => entry.clientId === clientId);
  }
}

const toWire = ({ epoch, seq, clientId, clientSeq, userId, at, operations }: SimulatedEntry): WireEntry => {
  return { epoch, seq, clientId, clientSeq, userId, at, operations: [...operations] };
};
