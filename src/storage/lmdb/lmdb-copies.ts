import { FlowError } from '../../protocol/errors';
import type { LmdbEngine } from './lmdb-engine';
import { newHistory, removeEntries, type Head, type Tables } from './lmdb-tables';

/** Entries copied, or removed, per transaction: a few milliseconds of the main thread. */
export const COPY_ENTRIES = 1_000;
/** Transactions that a start waits for at most: half a second. What is left is for the next start. */
const MAX_SWEEPS = 100;

/**
 * A history that is being filled has a mark until a session shows it, so that one whose filling broke off is found. Its value is the
 * history's number, negative once it is given up. Whoever adds to it looks at the mark in the same transaction: a process that starts
 * gives up all copies, also those that are under way elsewhere.
 */
const PREFIX = 'copy ';
const AFTER_PREFIX = 'copy!';
const markOf = (history: number): string => PREFIX + history;

export function beginCopy(tables: Tables): Head {
  const head = newHistory(tables);
  void tables.meta.put(markOf(head.history), head.history);
  return head;
}

export function demandCopy({ meta }: Tables, history: number): void {
  if (meta.get(markOf(history)) === history) return;
  throw new FlowError('STORE_UNAVAILABLE', 'Another process has given the copy up.', { retryAfterMs: 1_000 });
}

/** A session shows it from here on. */
export function endCopy(tables: Tables, history: number): void {
  demandCopy(tables, history);
  void tables.meta.remove(markOf(history));
}

/** Removes what was filled so far. */
export async function giveUpCopy(engine: LmdbEngine, history: number): Promise<void> {
  while (!(await engine.write((tables) => removePiece(tables, history)))) {
    // Piece by piece, so that others have their turn.
  }
}

/** Removes copies that broke off, as far as there is time. */
export async function sweepCopies(engine: LmdbEngine): Promise<void> {
  const marks = await engine.read(({ meta }) => [...meta.getRange({ start: PREFIX, end: AFTER_PREFIX })]);
  let left = MAX_SWEEPS;
  for (const { value } of marks) {
    const history = Math.abs(value);
    let isDone = false;
    while (!isDone && left > 0) {
      isDone = await engine.write((tables) => removePiece(tables, history));
      left -= 1;
    }
  }
}

/** Answers whether nothing is left; from the first piece on nobody adds any more. */
function removePiece(tables: Tables, history: number): boolean {
  void tables.meta.put(markOf(history), -history);
  const all = Number.POSITIVE_INFINITY;
  if (removeEntries(tables, history, all, all, COPY_ENTRIES) >= COPY_ENTRIES) return false;
  void tables.meta.remove(markOf(history));
  return true;
}
