import type { FlowSession } from '../../../src/client/session';
import type { Delivery, SessionEvents } from '../../../src/client/session-events';
import { GENESIS, isSameMark } from '../../../src/protocol/positions';
import { HistoryChain } from './history-chain';
import type { SavedLedger } from './saved-ledger';
import type { Trace } from './trace';

/** Everything one tab was told about one session, held against the rules as it comes. */
export class DeliveryRecord {
  readonly name: string;
  readonly sessionId: string;
  readonly chain = new HistoryChain();
  readonly #trace: Trace;
  readonly #ledger: SavedLedger;
  /** Of json snapshots: what they said comes before the chain. */
  #snapshotIds: readonly string[] = [];
  #reportedSeq = 0;

  constructor(name: string, session: FlowSession, ledger: SavedLedger, trace: Trace) {
    this.name = name;
    this.sessionId = session.sessionId;
    this.#trace = trace;
    this.#ledger = ledger;
    session.on('entries', (delivery) => this.#onEntries(delivery));
    session.on('reset', (reset) => this.#onReset(reset));
    session.on('fork', (fork) => this.#onFork(fork));
    session.on('saved', ({ seq }) => this.#onSaved(seq));
  }

  /** The document at a seq: what a snapshot had, and the operations since. */
  idsUpTo(seq: number): string[] {
    return [...this.#snapshotIds, ...this.chain.linksUpTo(seq).flatMap(({ entry }) => entry.operations.map(idOf))];
  }

  get snapshotIds(): readonly string[] {
    return this.#snapshotIds;
  }

  #onEntries({ entries, head }: Delivery): void {
    this.#trace.detail(() => `${this.name}: ${spanOf(entries)} of ${this.sessionId}`);
    for (const entry of entries) {
      const fault = this.chain.append(entry);
      if (fault) this.#trace.violated('delivered', `${this.name}: ${fault}`);
    }
    if (!isSameMark(this.chain.head, head)) {
      const { seq, tag } = this.chain.head;
      this.#trace.violated('tag', `${this.name} has ${seq} ${tag} and was told ${head.seq} ${head.tag}`);
      // From here on by what it was told, so that one fault is not told a hundred times.
      this.chain.restart(head);
    }
  }

  #onReset({ snapshot }: SessionEvents['reset']): void {
    this.chain.restart(snapshot ? { seq: snapshot.seq, tag: snapshot.tag } : GENESIS);
    this.#trace.note(`${this.name} begins ${this.sessionId} at ${this.chain.head.seq}`);
    this.#snapshotIds = snapshot ? snapshotIdsOf(snapshot.payload) : [];
    this.#reportedSeq = this.chain.head.seq;
    this.#trace.count(snapshot ? 'starts from a snapshot' : 'starts from nothing');
  }

  #onFork({ seq, rolledBack }: SessionEvents['fork']): void {
    this.#trace.count('forks');
    this.#trace.note(`${this.name} forks at ${seq} of ${this.sessionId}, ${rolledBack.length} entries void`);
    const base = this.chain.markAtOrBelow(seq);
    const removed = base.seq === seq ? (this.chain.rollBackTo(base) ?? []) : [];
    const had = removed.map(({ mark }) => mark.seq).join();
    const told = rolledBack.map((entry) => entry.seq).join();
    if (had !== told) {
      this.#trace.violated(
        'delivered',
        `${this.name} forks at ${seq}: it had ${had || 'nothing'} there, void is ${told}`,
      );
    }
    this.#reportedSeq = Math.min(this.#reportedSeq, seq);
  }

  #onSaved(seq: number): void {
    for (const link of this.chain.linksUpTo(seq)) {
      if (link.mark.seq > this.#reportedSeq) this.#ledger.reported(link.mark, this.name);
    }
    this.#reportedSeq = Math.max(this.#reportedSeq, seq);
  }
}

const spanOf = (entries: Delivery['entries']): string =>
  entries
    .map(
      ({ epoch, seq, clientId, clientSeq, operations }) =>
        `${epoch}/${seq} ${clientId.slice(0, 4)}#${clientSeq} ${operations.map(idOf).join('+')}`,
    )
    .join(', ');

/** Operations of json schedules are `{ id, … }`. */
export function idOf(operation: unknown): string {
  if (typeof operation === 'object' && operation !== null && 'id' in operation) return String(operation.id);
  return '';
}

function snapshotIdsOf(payload: unknown): readonly string[] {
  if (typeof payload === 'object' && payload !== null && 'ids' in payload && Array.isArray(payload.ids))
    return payload.ids.map(String);
  return [];
}
