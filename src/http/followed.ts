import { markBefore, markOf, type Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { isSameMark, type Mark } from '../protocol/positions';

/** By then what moved under the reader stands still. */
const RETRY_AFTER_MS = 250;

/** Pages of history that are sure to follow each other, and how far they came. */
export interface Followed extends AsyncIterable<readonly Entry[]> {
  readonly at: Mark;
}

/**
 * Watches that pages continue `from` without a hole (EO8): entries may be pruned, or a session reopened with another
 * history, while somebody reads on. Then the reader is asked to read again. Between pages everybody else has a turn.
 */
export function follow(from: Mark, pages: AsyncIterable<readonly Entry[]>): Followed {
  let at = from;
  return {
    get at() {
      return at;
    },
    async *[Symbol.asyncIterator]() {
      for await (const page of pages) {
        for (const entry of page) {
          if (!isSameMark(markBefore(entry), at)) throw movedOn();
          at = markOf(entry);
        }
        yield page;
        // Embedded stores and loopback sockets answer at once, so without this a long read would be one turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

export const movedOn = (): FlowError =>
  new FlowError('BUSY', 'The history changed while it was read; ask again.', { retryAfterMs: RETRY_AFTER_MS });
