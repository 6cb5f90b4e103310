import { markOf, weightOf, type ClientRow, type Entry } from '../../protocol/entry';
import type { Position } from '../../protocol/positions';
import { judgeSave } from '../continuation';
import type { OperationLog, SaveResult, SessionSave } from '../operation-log';
import { indexAfter, tagAt, type Histories, type History } from './memory-histories';

export class MemoryOperationLog implements OperationLog {
  readonly durability = 'none';
  readonly #histories: Histories;

  constructor(histories: Histories) {
    this.#histories = histories;
  }

  async head(sessionId: string): Promise<Position | null> {
    const history = this.#histories.get(sessionId);
    return history ? positionOf(history) : null;
  }

  async openEpoch(sessionId: string, seen: number, above: number): Promise<Position | null> {
    const history = this.#histories.get(sessionId);
    if (history?.epoch !== seen) return null;
    history.epoch = Math.max(seen, above) + 1;
    return positionOf(history);
  }

  async save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    return saves.map((save) => this.#save(save));
  }

  async readAfter(sessionId: string, afterSeq: number, maxBytes: number): Promise<readonly Entry[]> {
    const entries = this.#histories.get(sessionId)?.entries ?? [];
    const start = indexAfter(entries, afterSeq);
    let end = start;
    let bytes = 0;
    for (let entry = entries[end]; entry; entry = entries[end]) {
      bytes += weightOf(entry);
      if (bytes > maxBytes && end > start) break;
      end += 1;
    }
    return entries.slice(start, end);
  }

  async tagAt(sessionId: string, seq: number): Promise<string | null> {
    const history = this.#histories.get(sessionId);
    return history ? tagAt(history, seq) : null;
  }

  async clientRow(sessionId: string, clientId: string): Promise<ClientRow | null> {
    return this.#histories.get(sessionId)?.clients.get(clientId) ?? null;
  }

  async prune(sessionId: string, seq: number, before: number): Promise<number> {
    const history = this.#histories.get(sessionId);
    if (!history) return 0;
    const below = indexAfter(history.entries, Math.min(seq, history.snapshot?.at.seq ?? 0));
    const young = history.entries.findIndex((entry) => entry.at >= before);
    const count = young === -1 ? below : Math.min(below, young);
    history.entries.splice(0, count);
    return count;
  }

  #save(save: SessionSave): SaveResult {
    const history = this.#histories.get(save.sessionId);
    if (!history) return { status: 'fenced', epoch: 0 };
    const verdict = judgeSave({ position: positionOf(history), tagAt: (seq) => tagAt(history, seq) }, save);
    if (verdict.status !== 'continues') return verdict;
    for (const entry of verdict.fresh) {
      const { clientSeq, seq, count, prevTag, tag } = entry;
      history.entries.push(entry);
      history.clients.set(entry.clientId, { clientSeq, seq, count, prevTag, tag });
      history.head = markOf(entry);
    }
    return { status: 'saved', head: history.head };
  }
}

const positionOf = ({ epoch, head }: History): Position => ({ epoch, seq: head.seq, tag: head.tag });
