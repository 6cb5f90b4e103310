import { FlowError } from '../../../src/protocol/errors';
import type { Histories } from '../../../src/storage/memory/memory-histories';
import { MemoryOperationLog } from '../../../src/storage/memory/memory-operation-log';
import type { SaveResult, SessionSave } from '../../../src/storage/operation-log';

/** Takes whatever comes, in place of what is there: nothing of ST2. */
export class OverwritingLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override async save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    for (const { sessionId, entries } of saves) {
      const history = this.#histories.get(sessionId);
      const [first] = entries;
      if (!history || !first) continue;
      const kept = history.entries.filter(({ seq }) => seq <= first.seq - first.count);
      history.entries = [...kept, ...entries];
      const last = entries[entries.length - 1] ?? first;
      history.head = { seq: last.seq, tag: last.tag };
      for (const { clientId, clientSeq, seq, count, prevTag, tag } of entries)
        history.clients.set(clientId, { clientSeq, seq, count, prevTag, tag });
    }
    return saves.map(takenWhole);
  }
}

/** Asks only whether entries continue the history, not who writes: half of ST2. */
export class UnfencedLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    return super.save(
      saves.map((save) => ({ ...save, epoch: this.#histories.get(save.sessionId)?.epoch ?? save.epoch })),
    );
  }
}

/** One session that may not be saved fails the save of all: nothing of ST6. */
export class AllOrNothingLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override async save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    const isFenced = saves.some(({ sessionId, epoch }) => this.#histories.get(sessionId)?.epoch !== epoch);
    if (isFenced) throw new FlowError('STORE_UNAVAILABLE');
    return super.save(saves);
  }
}

/** Prunes what no snapshot holds: nothing of ST10. */
export class ForgetfulLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override async prune(sessionId: string): Promise<number> {
    const removed = this.#histories.get(sessionId)?.entries.splice(0);
    return removed?.length ?? 0;
  }
}

/** What a store answers that has taken everything, or says so. */
export function takenWhole({ entries }: SessionSave): SaveResult {
  const last = entries[entries.length - 1];
  return { status: 'saved', head: { seq: last?.seq ?? 0, tag: last?.tag ?? '' } };
}
