import type { Logger } from '../lib/logger';
import type { EventOrdering } from '../ordering/event-ordering';
import type { SaveDuty } from '../ordering/save-duty';
import { markBefore, markOf, type Entry } from '../protocol/entry';
import { isSameMark, type Mark } from '../protocol/positions';
import type { OperationLog, SaveResult } from '../storage/operation-log';
import type { Feed } from './feed';
import { PAGE_BYTES } from './history';
import { SavedElsewhere } from './saved-elsewhere';
import { SaveQueue, type SaveClient, type Saver } from './saver';
import type { SinceSnapshot, Snapshotter } from './snapshotter';

interface SavingServices {
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  readonly saveDuty: SaveDuty;
  readonly saver: Saver;
  readonly snapshotter: Snapshotter;
}

interface SavingListener {
  /** The store has everything up to here. */
  onSaved(saved: Mark): void;
  /** The store takes nothing more from this writer (ST2). */
  onRefused(status: 'fenced' | 'diverged'): void;
}

/** The saving of one session, while this instance holds its lease (SV1). */
export class SessionSaving implements SaveClient {
  readonly sessionId: string;
  readonly #services: SavingServices;
  readonly #feed: Feed;
  readonly #log: Logger;
  readonly #listener: SavingListener;
  /** There while this instance saves the session. */
  #queue: SaveQueue | undefined;
  readonly #elsewhere: SavedElsewhere;
  #sinceSnapshot: SinceSnapshot | undefined;
  #isClosed = false;

  constructor(sessionId: string, services: SavingServices, feed: Feed, log: Logger, listener: SavingListener) {
    this.sessionId = sessionId;
    this.#services = services;
    this.#feed = feed;
    this.#log = log;
    this.#listener = listener;
    this.#elsewhere = new SavedElsewhere(services.saver);
  }

  get isActive(): boolean {
    return this.#queue !== undefined;
  }

  /** Counts what gathers from `saved` on, and folds it into a snapshot when it is due (ST9). */
  async keepSnapshots(saved: Mark): Promise<void> {
    this.#sinceSnapshot = await this.#services.snapshotter.follow(this.sessionId, saved);
  }

  /** Saves the session if its lease is to be had. */
  async takeUp(): Promise<void> {
    const held = await this.#services.saveDuty.claim([this.sessionId]);
    if (held.has(this.sessionId)) await this.start();
  }

  /** Goes on from where the store is. */
  async start(): Promise<void> {
    const { operationLog, ordering, saver } = this.#services;
    const { tail } = this.#feed;
    const stored = await operationLog.head(this.sessionId);
    if (!stored) return;
    let unsaved: Entry[] = [];
    let last: Mark = stored;
    while (last.seq < tail.head.seq) {
      const page = tail.covers(last.seq)
        ? tail.after(last.seq)
        : ((await ordering.read(this.sessionId, last.seq, PAGE_BYTES))?.entries ?? []);
      const [first] = page;
      if (first && isSameMark(markBefore(first), last)) {
        unsaved.push(...page);
        last = markOf(page[page.length - 1] ?? first);
      } else {
        // Another saver may have moved the store, and the hot log let go of what it has; only a store that stands still contradicts it.
        const moved = await operationLog.head(this.sessionId);
        if (!moved || moved.seq <= last.seq) return this.#feed.breakOff('the hot log does not continue the store');
        unsaved = [];
        last = moved;
      }
    }
    // Nothing awaited since the tail was found to end here, so no entry is missing between `unsaved` and what comes.
    if (this.#queue || this.#isClosed || this.#feed.tail !== tail) return;
    this.#queue = new SaveQueue(this, tail.epoch);
    this.#elsewhere.remove();
    for (const entry of unsaved) saver.add(this.#queue, entry);
  }

  /** Another instance holds the save lease, or the epoch is over. */
  stop(): void {
    if (!this.#queue) return;
    const { entries } = this.#queue;
    this.#services.saver.drop(this.#queue);
    this.#queue = undefined;
    for (const entry of entries) this.#elsewhere.add(entry);
  }

  /** The history goes on without what was not saved: it belongs to its clients again. */
  forget(): void {
    this.stop();
    this.#elsewhere.remove();
  }

  /** Whoever saved it, it need not be waited for. */
  reached({ seq }: Mark): void {
    this.#elsewhere.remove(seq);
  }

  /** For good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.forget();
    if (this.#sinceSnapshot) this.#services.snapshotter.forget(this.#sinceSnapshot);
    await this.#services.saveDuty.release([this.sessionId]);
  }

  add(entry: Entry): void {
    if (this.#queue) this.#services.saver.add(this.#queue, entry);
    else if (!this.#isClosed) this.#elsewhere.add(entry);
  }

  /** Resolves when everything that came so far is saved. */
  settled(): Promise<void> {
    return this.#queue ? this.#services.saver.settled(this.#queue) : Promise.resolve();
  }

  /** Folds what gathered since the last snapshot, when a session ends. */
  async foldLast(): Promise<void> {
    if (this.#sinceSnapshot && this.#sinceSnapshot.entries > 0)
      await this.#services.snapshotter.fold(this.#sinceSnapshot);
  }

  /** What the tail still holds goes to the store, if it takes it, before the hot log is overruled (ST4). */
  async rescue(): Promise<void> {
    const { operationLog } = this.#services;
    const { tail } = this.#feed;
    const stored = await operationLog.head(this.sessionId);
    if (!stored || !tail.covers(stored.seq) || tail.tagAt(stored.seq) !== stored.tag) return;
    const entries = tail.after(stored.seq);
    if (entries.length > 0) await operationLog.save([{ sessionId: this.sessionId, epoch: tail.epoch, entries }]);
  }

  onSaveResult(queue: SaveQueue, result: SaveResult, entries: readonly Entry[]): void {
    if (queue !== this.#queue) return;
    if (result.status === 'saved') {
      this.#listener.onSaved(result.head);
      if (this.#sinceSnapshot) this.#services.snapshotter.onSaved(this.#sinceSnapshot, entries);
      this.#services.ordering
        .markSaved(this.sessionId, { epoch: queue.epoch, ...result.head })
        .catch((cause: unknown) => this.#log.warn({ err: cause }, 'the hot log could not be told what is saved'));
      return;
    }
    this.#queue = undefined;
    this.#log.warn({ result }, 'the store refuses this writer');
    this.#listener.onRefused(result.status);
  }
}
