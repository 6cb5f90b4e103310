import type { EventOrdering } from '../ordering/event-ordering';
import { markBefore, markOf, type Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type { Format, Replies, Requests, WireSnapshot } from '../protocol/schemas';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshot, Snapshots } from '../storage/snapshots';
import type { Tail } from './tail';

/** One read from the hot log or the store: what one turn of the event loop handles without a stutter. */
export const PAGE_BYTES = 524_288;

/** How a joiner comes from what it has to what there is (CL2). */
export interface WayIn {
  readonly resume: Replies['session:join']['resume'];
  /** Its next entry follows this mark. */
  readonly after: Mark;
  readonly snapshot?: WireSnapshot;
  readonly stateVector?: string;
}

interface HistoryServices {
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  readonly snapshots: Snapshots;
  readonly folder: DocumentFolder;
}

/** Reads one session's past: the ring first, then the hot log, then the store. */
export class History {
  readonly #sessionId: string;
  readonly #format: Format;
  readonly #services: HistoryServices;

  constructor(sessionId: string, format: Format, services: HistoryServices) {
    this.#sessionId = sessionId;
    this.#format = format;
    this.#services = services;
  }

  /** A page after a mark that the ring does not reach: from the hot log or, below its floor, from the store (EO8). */
  async readPage(tail: Tail, after: Mark): Promise<readonly Entry[]> {
    const { ordering, operationLog } = this.#services;
    const hot = await ordering.read(this.#sessionId, after.seq, PAGE_BYTES);
    const isHot = hot !== null && hot.log.epoch === tail.epoch && hot.log.floor <= after.seq;
    const page = isHot ? hot.entries : await operationLog.readAfter(this.#sessionId, after.seq, PAGE_BYTES);
    const first = page[0];
    if (!first || !isSameMark(markBefore(first), after)) throw offTheChain();
    return page;
  }

  /** Pages after a mark, up to where the session is when reading begins, unsaved entries included. */
  async *entriesAfter(tailNow: () => Tail, mark: Mark): AsyncGenerator<readonly Entry[]> {
    const target = tailNow().head.seq;
    let after = mark;
    while (after.seq < target) {
      const tail = tailNow();
      const page = tail.covers(after.seq) ? tail.after(after.seq) : await this.readPage(tail, after);
      const last = page[page.length - 1];
      if (!last) return;
      yield page;
      after = markOf(last);
    }
  }

  async wayIn(tail: Tail, { have, stateVector }: Requests['session:join']): Promise<WayIn> {
    if (have && (await this.isOnChain(tail, have.head))) return { resume: 'continue', after: have.head };
    if (have && (await this.isOnChain(tail, have.saved)))
      return { resume: { fork: { base: have.saved } }, after: have.saved };
    const snapshot = await this.#services.snapshots.latest(this.#sessionId);
    if (!snapshot) return { resume: 'start', after: GENESIS };
    return { resume: 'start', after: snapshot.at, ...(await this.#toWire(snapshot, stateVector)) };
  }

  /** Whether the mark lies on the session's history and everything after it can still be read. */
  async isOnChain(tail: Tail, mark: Mark): Promise<boolean> {
    const own = tail.tagAt(mark.seq);
    return own === undefined ? this.isOnChainOf(tail.head, mark) : own === mark.tag;
  }

  /** The same for a history that ends at `head`, told from the hot log and the store. */
  async isOnChainOf(head: Mark, mark: Mark): Promise<boolean> {
    if (mark.seq > head.seq) return false;
    if (mark.seq === head.seq) return mark.tag === head.tag;
    const { operationLog, ordering } = this.#services;
    const hot = await ordering.read(this.#sessionId, mark.seq, 1);
    const isHot = hot !== null && hot.log.floor <= mark.seq;
    const next = isHot ? hot.entries[0] : (await operationLog.readAfter(this.#sessionId, mark.seq, 1))[0];
    return next !== undefined && isSameMark(markBefore(next), mark);
  }

  async #toWire(
    { at, payload }: Snapshot,
    stateVector: string | undefined,
  ): Promise<Pick<WayIn, 'snapshot' | 'stateVector'>> {
    if (this.#format === 'json')
      return { snapshot: { ...at, payload: JSON.parse(Buffer.from(payload).toString()) as unknown } };
    if (stateVector === undefined) return { snapshot: { ...at, payload: toBase64(payload) } };
    const lacking = await this.#services.folder.difference(payload, Buffer.from(stateVector, 'base64'));
    return { snapshot: { ...at, payload: toBase64(lacking.update) }, stateVector: toBase64(lacking.stateVector) };
  }
}

export const offTheChain = (): FlowError =>
  new FlowError('NOT_JOINED', 'The position is not in the history of the session; join again.');

const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
