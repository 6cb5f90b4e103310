import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { EventOrdering, HotLog } from '../ordering/event-ordering';
import type { HotLogFiles } from '../ordering/hot-log-file';
import { FlowError } from '../protocol/errors';
import type { Position } from '../protocol/positions';
import type { OperationLog } from '../storage/operation-log';

/** Until an operator has decided; a client that asks sooner costs little. */
const RETRY_AFTER_MS = 5_000;

/**
 * Whether the store has lost what it once had: the hot log, of this epoch or a newer one, names a position that was saved, and that is not on
 * the stored chain. Only a store put back to an older state, or another store, can be so. Over a hot log of an older epoch the store has
 * been opened since, by somebody who took it as it is. What was pruned is not missed. `stored` is null where the store does not know the
 * session: whatever was ordered in it is lost there.
 */
export async function hasLostSaved(
  operationLog: Pick<OperationLog, 'tagAt'>,
  sessionId: string,
  stored: Position | null,
  { epoch, head, saved }: HotLog,
): Promise<boolean> {
  if (!stored) return head.seq > 0;
  if (epoch < stored.epoch) return false;
  if (saved.seq > stored.seq) return true;
  const tag = await operationLog.tagAt(sessionId, saved.seq);
  return tag !== null && tag !== saved.tag;
}

/** Keeps sessions closed whose store is older than their hot log, until an operator has decided; what the hot log has is in a file first. */
export class OlderStores {
  readonly #ordering: Pick<EventOrdering, 'read'>;
  readonly #files: HotLogFiles;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Session → the file that was told of. */
  readonly #refused = new Map<string, string>();

  constructor({
    ordering,
    files,
    clock,
    log,
  }: {
    ordering: Pick<EventOrdering, 'read'>;
    files: HotLogFiles;
    clock: Clock;
    log: Logger;
  }) {
    this.#ordering = ordering;
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
  }

  /** Sessions that are refused here. */
  get size(): number {
    return this.#refused.size;
  }

  /** Writes the hot log to a file, says so once, and answers with what the session is refused. */
  async refuse(sessionId: string, stored: Position | null, hotLog: HotLog): Promise<FlowError> {
    const file = await this.#files.write(this.#ordering, sessionId, hotLog, { stored, exportedAt: this.#clock.now() });
    if (this.#refused.get(sessionId) !== file) {
      this.#refused.set(sessionId, file);
      this.#log.error(
        { sessionId, stored, hotLog, file },
        'The document store is older than Redis: less is stored of this session than was saved. It stays closed; npm run doctor says what to do',
      );
    }
    return new FlowError(
      'STORE_UNAVAILABLE',
      `The document store is older than this session: it ends at ${stored?.seq ?? 'nothing'}, and ${hotLog.saved.seq} was saved. An operator must decide.`,
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  /** It could be opened. */
  opened(sessionId: string): void {
    this.#refused.delete(sessionId);
  }
}
