import type { Logger } from '../lib/logger';
import type { Clock } from '../lib/clock';
import { markBefore, markOf, weightOf, type Entry } from '../protocol/entry';
import { isSameMark, type Mark } from '../protocol/positions';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshot, Snapshots } from '../storage/snapshots';

/** A page is what one turn of the event loop reads from the store. */
const PAGE_BYTES = 65_536;
/** Folding while people type takes at most this share of the time, however many sessions are busy: those who type come first. */
const MAX_FOLDING_SHARE = 0.1;
/** A fold reads and writes the whole document, so a busy session gathers more entries between two of them. */
const MIN_INTERVAL_MS = 10_000;
/** Who has gathered so many times what makes a snapshot due is folded before the others: its joiners read all of that. */
const URGENT_TIMES = 20;

interface SnapshotterOptions {
  readonly operationLog: OperationLog;
  readonly snapshots: Snapshots;
  readonly folder: DocumentFolder;
  readonly clock: Clock;
  readonly log: Logger;
  /** A snapshot is due after so many entries … */
  readonly afterEntries: number;
  /** … or so many bytes of them since the last one. */
  readonly afterBytes: number;
  /** Entries below the latest snapshot are kept so long (ST10). */
  readonly historyMs: number;
}

/** What a session has gathered since its last snapshot. */
export interface SinceSnapshot {
  readonly sessionId: string;
  entries: number;
  bytes: number;
  /** Monotonic time before which no further fold begins by itself. */
  notBefore: number;
  folding: Promise<void> | undefined;
}

/** Keeps the way into a document short: folds stored entries of Yjs documents into snapshots, off the main thread (ST9). */
export class Snapshotter {
  readonly #options: SnapshotterOptions;
  /** Due, and folded one after the other, in this order but for the urgent ones. */
  readonly #waiting = new Set<SinceSnapshot>();
  /** Monotonic time before which no fold begins by itself. */
  #restUntil = 0;
  #isFolding = false;
  #isStopped = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** Nothing is folded by itself any more; `fold` still works. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    this.#cancelTimer?.();
  }

  /** Starts counting for a session; what lies between its last snapshot and `saved` counts already. */
  async follow(sessionId: string, saved: Mark): Promise<SinceSnapshot> {
    const at = await this.#options.snapshots.latestMark(sessionId);
    // Operations, not entries: close enough to decide when to fold first.
    return { sessionId, entries: saved.seq - at.seq, bytes: 0, notBefore: 0, folding: undefined };
  }

  /** The session is closed. */
  forget(since: SinceSnapshot): void {
    this.#waiting.delete(since);
  }

  onSaved(since: SinceSnapshot, entries: readonly Entry[]): void {
    since.entries += entries.length;
    for (const entry of entries) since.bytes += weightOf(entry);
    if (this.#isStopped || this.#waiting.has(since) || !this.#hasGathered(since, 1)) return;
    this.#waiting.add(since);
    this.#schedule();
  }

  /** Folds what is stored now. Failing is not fatal: the entries are all there, and the next fold takes them. */
  fold(since: SinceSnapshot): Promise<void> {
    this.#waiting.delete(since);
    since.folding ??= this.#fold(since).finally(() => {
      since.folding = undefined;
    });
    return since.folding;
  }

  /** Keeps a snapshot; what is older than the history that is kept goes (ST10). False: it names no saved position after the latest. */
  async keep(sessionId: string, snapshot: Snapshot): Promise<boolean> {
    const { operationLog, snapshots, clock, log, historyMs } = this.#options;
    if (!(await snapshots.put(sessionId, snapshot))) return false;
    await operationLog
      .prune(sessionId, snapshot.at.seq, clock.now() - historyMs)
      .catch((cause: unknown) => log.warn({ err: cause, sessionId }, 'pruning failed; the next snapshot tries again'));
    return true;
  }

  #hasGathered({ entries, bytes }: SinceSnapshot, times: number): boolean {
    const { afterEntries, afterBytes } = this.#options;
    return entries >= afterEntries * times || bytes >= afterBytes * times;
  }

  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isStopped || this.#isFolding || this.#waiting.size === 0) return;
    const { clock } = this.#options;
    let readyAt = Number.POSITIVE_INFINITY;
    for (const { notBefore } of this.#waiting) readyAt = Math.min(readyAt, notBefore);
    const delayMs = Math.max(0, Math.max(readyAt, this.#restUntil) - clock.monotonic());
    this.#cancelTimer = clock.after(delayMs, () => void this.#foldNext());
  }

  async #foldNext(): Promise<void> {
    this.#cancelTimer = undefined;
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    const next = this.#nextAt(startedAt);
    if (!next) return this.#schedule();
    this.#isFolding = true;
    await this.fold(next);
    this.#isFolding = false;
    const endedAt = clock.monotonic();
    next.notBefore = endedAt + MIN_INTERVAL_MS;
    this.#restUntil = endedAt + (endedAt - startedAt) * (1 / MAX_FOLDING_SHARE - 1);
    this.#schedule();
  }

  #nextAt(now: number): SinceSnapshot | undefined {
    let first: SinceSnapshot | undefined;
    for (const since of this.#waiting) {
      if (since.notBefore > now) continue;
      if (this.#hasGathered(since, URGENT_TIMES)) return since;
      first ??= since;
    }
    return first;
  }

  async #fold(since: SinceSnapshot): Promise<void> {
    const { sessionId } = since;
    const { operationLog, snapshots, folder, log } = this.#options;
    since.entries = 0;
    since.bytes = 0;
    try {
      // A fixed end: whoever types while we fold would never let us finish.
      const target = (await operationLog.head(sessionId))?.seq ?? 0;
      let at = await snapshots.latestMark(sessionId);
      if (at.seq >= target) return;
      const latest = at.seq > 0 ? await snapshots.latest(sessionId) : null;
      // Another instance may have made a later one meanwhile.
      if (latest) at = latest.at;
      const entries = (async function* () {
        while (at.seq < target) {
          const page = await operationLog.readAfter(sessionId, at.seq, PAGE_BYTES);
          const [first] = page;
          const last = page[page.length - 1];
          // Another instance may have folded further and pruned meanwhile: a snapshot over the hole would lose what was in it.
          if (!first || !last || !isSameMark(markBefore(first), at))
            throw new Error('the history was pruned while it was folded');
          yield page;
          at = markOf(last);
        }
      })();
      const payload = await folder.toUpdate({ snapshot: latest?.payload ?? null, entries });
      if (at.seq > (latest?.at.seq ?? 0)) await this.keep(sessionId, { at, payload });
    } catch (cause) {
      log.warn({ err: cause, sessionId }, 'folding a snapshot failed; the next one will hold its entries');
    }
  }
}
