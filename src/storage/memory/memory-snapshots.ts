import { GENESIS, type Mark } from '../../protocol/positions';
import type { Snapshot, Snapshots } from '../snapshots';
import { tagAt, type Histories } from './memory-histories';

export class MemorySnapshots implements Snapshots {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    this.#histories = histories;
  }

  async latest(sessionId: string): Promise<Snapshot | null> {
    return this.#histories.get(sessionId)?.snapshot ?? null;
  }

  async latestMark(sessionId: string): Promise<Mark> {
    return this.#histories.get(sessionId)?.snapshot?.at ?? GENESIS;
  }

  async put(sessionId: string, { at, payload }: Snapshot): Promise<boolean> {
    const history = this.#histories.get(sessionId);
    if (!history || tagAt(history, at.seq) !== at.tag || at.seq < (history.snapshot?.at.seq ?? 0)) return false;
    // A copy: the caller may go on writing into its buffer.
    history.snapshot = { at: { seq: at.seq, tag: at.tag }, payload: Uint8Array.from(payload) };
    return true;
  }
}
