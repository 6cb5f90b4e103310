import type { Entry } from '../../../src/protocol/entry';
import { idOf } from '../schedule/delivery-record';
import type { SavedLedger } from '../schedule/saved-ledger';
import type { Trace } from '../schedule/trace';
import type { StageAuthor } from './stage-author';

/** Holds what was told against what is stored in the end. Operations come one by one. */
export function judge(
  trace: Trace,
  { history, ledger, authors }: { history: readonly Entry[]; ledger: SavedLedger; authors: readonly StageAuthor[] },
): void {
  const seqOf = new Map<string, number>();
  for (const { id, seq } of history.map(operationOf)) {
    const first = seqOf.get(id);
    if (first !== undefined) trace.violated('unique', `${id} stands at ${first} and at ${seq}`);
    seqOf.set(id, seq);
  }
  for (const [seq, { tag, by }] of ledger.marks) {
    const stored = history[seq - 1]?.tag;
    if (stored !== tag)
      trace.violated('saved', `${by} was told that ${tag} is saved at ${seq}; there is ${stored ?? 'nothing'}`);
  }
  for (const { ids, placed } of authors) {
    let last = 0;
    for (const id of ids) {
      const seq = seqOf.get(id);
      if (seq === undefined) trace.violated('complete', `${id} is missing`);
      else if (seq < last) trace.violated('order', `${id} stands at ${seq}, before one that was written earlier`);
      last = seq ?? last;
    }
    for (const { id, epoch, seq } of placed) {
      const instead = history[seq - 1];
      if (instead && operationOf(instead).id !== id && instead.epoch <= epoch)
        trace.violated(
          'epoch',
          `${id} had place ${seq} under epoch ${epoch}; there is ${operationOf(instead).id} of epoch ${instead.epoch}`,
        );
    }
  }
}

function operationOf({ operations, seq }: Entry): { id: string; seq: number } {
  const [operation] = JSON.parse(operations) as unknown[];
  return { id: idOf(operation), seq };
}
