import type { EventOrdering, HotLog } from '../ordering/event-ordering';
import { markBefore } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { isSameMark, type Mark, type Position } from '../protocol/positions';
import type { OperationLog } from '../storage/operation-log';
import { hasLostSaved, type OlderStores } from './older-stores';

/** Where an instance starts to follow a session. */
export interface Opened {
  readonly epoch: number;
  readonly head: Mark;
  readonly saved: Mark;
}

interface Authorities {
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  /** Null: documents are meant to be gone with the process, and no store is too old. */
  readonly olderStores: OlderStores | null;
}

/** Epochs opened by others while we look are rare; so many in a row mean that instances fence each other in turns. */
const MAX_ATTEMPTS = 8;

/**
 * ST4: finds out, from the store first and the hot log second, what the session's history is, and puts a hot log under it where there
 * is none or a stale one. `rescue` is called once before a new epoch is opened, to save what the own tail still holds under the
 * old one: whatever happened to the hot log, what the store takes is not lost. A hot log of the epoch `lostIn` is not
 * believed, even if it agrees with the store: it has lost entries that others may still hold and save, and only a newer epoch
 * makes sure that what is declared void stays void. A hot log that knows more to be saved than the store has is not replaced: the
 * store is older than it should be, and nothing is opened until an operator has decided.
 */
export async function openSession(
  authorities: Authorities,
  sessionId: string,
  { rescue, lostIn }: { rescue?: () => Promise<void>; lostIn?: number } = {},
): Promise<Opened> {
  const { ordering, operationLog, olderStores } = authorities;
  let isRescued = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const stored = await operationLog.head(sessionId);
    if (!stored) throw new FlowError('SESSION_NOT_FOUND');
    const hot = ordering.scope === 'shared' ? ((await ordering.describe([sessionId]))[0] ?? null) : null;

    if (hot && hot.epoch >= stored.epoch && hot.epoch !== lostIn) {
      if (await continues(authorities, sessionId, stored, hot)) {
        olderStores?.opened(sessionId);
        return { epoch: hot.epoch, head: hot.head, saved: stored };
      }
      // The store may have moved between the two reads; only a store that stands still contradicts the hot log.
      if (await hasMoved(operationLog, sessionId, stored)) continue;
    }
    if (rescue && !isRescued) {
      isRescued = true;
      await rescue();
      continue;
    }
    if (olderStores && hot && (await hasLostSaved(operationLog, sessionId, stored, hot))) {
      if (await hasMoved(operationLog, sessionId, stored)) continue;
      throw await olderStores.refuse(sessionId, stored, hot);
    }

    const opened = await operationLog.openEpoch(sessionId, stored.epoch, hot?.epoch ?? 0);
    if (!opened) continue;
    if (await ordering.seed(sessionId, opened.epoch, { seq: opened.seq, tag: opened.tag })) {
      const head = { seq: opened.seq, tag: opened.tag };
      olderStores?.opened(sessionId);
      return { epoch: opened.epoch, head, saved: head };
    }
  }
  throw new FlowError('BACKEND_UNAVAILABLE', 'Other instances keep opening this session.', { retryAfterMs: 1_000 });
}

async function hasMoved(operationLog: OperationLog, sessionId: string, stored: Position): Promise<boolean> {
  const again = await operationLog.head(sessionId);
  return again?.epoch !== stored.epoch || !isSameMark(again, stored);
}

/**
 * Whether the hot log is a continuation of the stored history: same epoch, and the store's head lies on its chain. Below its floor
 * the hot log knows no entries any more, but what was saved last: where the store has that, it has gone on since it was read.
 */
async function continues(
  { ordering, operationLog }: Authorities,
  sessionId: string,
  stored: Position,
  hot: HotLog,
): Promise<boolean> {
  const hasSaved = async ({ saved }: HotLog): Promise<boolean> =>
    (await operationLog.tagAt(sessionId, saved.seq)) === saved.tag;
  if (hot.epoch !== stored.epoch || hot.head.seq < stored.seq) return false;
  if (hot.head.seq === stored.seq) return hot.head.tag === stored.tag;
  if (hot.floor > stored.seq) return hasSaved(hot);
  const read = await ordering.read(sessionId, stored.seq, 1);
  if (!read || read.log.epoch !== hot.epoch) return false;
  if (read.log.floor > stored.seq) return hasSaved(read.log);
  const [next] = read.entries;
  return next !== undefined && isSameMark(markBefore(next), stored);
}
