import type { Logger } from '../lib/logger';
import type { Clock } from '../lib/clock';
import { markBefore, markOf, weightOf, type Entry } from '../protocol/entry';
import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshots } from '../storage/snapshots';

/** A page is what one turn of the event loop reads from the store. */
const PAGE_BYTES = 65_536;
/** Folding while people type takes at most this share of the time, however many sessions are busy: those who type come first. */
const MAX_FOLDING_SHARE = 0.1;
/** A fold reads and writes the whole document, so a busy session gathers more entries between two of them. */
const MIN_INTERVAL_MS = 10_000;

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
  isWaiting: boolean;
  folding: Promise<void> | undefined;
}

/** Keeps the way into a Yjs document short: folds stored entries into snapshots, off the main thread (ST9). */
export class Snapshotter {
  readonly #options: SnapshotterOptions;
  /** Due, and folded one after the other. */
  readonly #waiting: SinceSnapshot[] = [];
  #isAtWork = false;
  #isStopped = false;
  #cancelPause: (() => void) | undefined;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** Nothing is folded by itself any more; `fold` still works. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
    this.#cancelPause?.();
  }

  /** Starts counting for a session; what lies between its last snapshot and `saved` counts already. */
  async follow(sessionId: string, saved: Mark): Promise<SinceSnapshot> {
    const at = await this.#options.snapshots.latestMark(sessionId);
    // Operations, not entries: close enough to decide when to fold first.
    return { sessionId, entries: saved.seq - at.seq, bytes: 0, notBefore: 0, isWaiting: false, folding: undefined };
  }

  onSaved(since: SinceSnapshot, entries: readonly Entry[]): void {
    since.entries += entries.length;
    for (const entry of entries) since.bytes += weightOf(entry);
    const { afterEntries, afterBytes, clock } = this.#options;
    const isDue = since.entries >= afterEntries || since.bytes >= afterBytes;
    if (!isDue || this.#isStopped || since.isWaiting || since.folding || clock.monotonic() < since.notBefore) return;
    since.isWaiting = true;
    this.#waiting.push(since);
    if (!this.#isAtWork) void this.#foldWaiting();
  }

  async #foldWaiting(): Promise<void> {
    const since = this.#waiting.shift();
    this.#isAtWork = since !== undefined;
    if (!since) return;
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    since.isWaiting = false;
    await this.fold(since);
    const now = clock.monotonic();
    since.notBefore = now + MIN_INTERVAL_MS;
    if (this.#isStopped) return;
    const pauseMs = (now - startedAt) * (1 / MAX_FOLDING_SHARE - 1);
    this.#cancelPause = clock.after(pauseMs, () => void this.#foldWaiting());
  }

  /** Folds what is stored now. Failing is not fatal: the entries are all there, and the next fold takes them. */
  fold(since: SinceSnapshot): Promise<void> {
    since.folding ??= this.#fold(since).finally(() => {
      since.folding = undefined;
    });
    return since.folding;
  }

  async #fold(since: SinceSnapshot): Promise<void> {
    const { sessionId } = since;
    const { operationLog, snapshots, folder, clock, log, historyMs } = this.#options;
    since.entries = 0;
    since.bytes = 0;
    try {
      const latest = await snapshots.latest(sessionId);
      // A fixed end: whoever types while we fold would never let us finish.
      const target = (await operationLog.head(sessionId))?.seq ?? 0;
      let at = latest?.at ?? GENESIS;
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
      if (at.seq > (latest?.at.seq ?? 0) && (await snapshots.put(sessionId, { at, payload }))) {
        await operationLog.prune(sessionId, at.seq, clock.now() - historyMs);
      }
    } catch (cause) {
      log.warn({ err: cause, sessionId }, 'folding a snapshot failed; the next one will hold its entries');
    }
  }
}
