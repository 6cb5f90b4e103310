import type { Logger } from '../lib/logger';
import type { Clock } from '../lib/clock';
import { markBefore, markOf, weightOf, type Entry } from '../protocol/entry';
import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshots } from '../storage/snapshots';

/** A page is what one turn of the event loop reads from the store. */
const PAGE_BYTES = 262_144;
/** Folding a session takes at most this share of a core: large documents are folded less often. */
const MAX_FOLDING_SHARE = 0.1;

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
  /** Monotonic time before which no further fold begins. */
  notBefore: number;
  folding: Promise<void> | undefined;
}

/** Keeps the way into a Yjs document short: folds stored entries into snapshots, off the main thread (ST9). */
export class Snapshotter {
  readonly #options: SnapshotterOptions;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** Starts counting for a session; what lies between its last snapshot and `saved` counts already. */
  async follow(sessionId: string, saved: Mark): Promise<SinceSnapshot> {
    const at = await this.#options.snapshots.latestMark(sessionId);
    // Operations, not entries: close enough to decide when to fold first.
    return { sessionId, entries: saved.seq - at.seq, bytes: 0, notBefore: 0, folding: undefined };
  }

  onSaved(since: SinceSnapshot, entries: readonly Entry[]): void {
    since.entries += entries.length;
    for (const entry of entries) since.bytes += weightOf(entry);
    const { afterEntries, afterBytes, clock } = this.#options;
    const isDue = since.entries >= afterEntries || since.bytes >= afterBytes;
    if (isDue && !since.folding && clock.monotonic() >= since.notBefore) void this.fold(since);
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
    const startedAt = clock.monotonic();
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
    since.notBefore = clock.monotonic() + (clock.monotonic() - startedAt) / MAX_FOLDING_SHARE;
  }
}
