import type { ClientCredentials } from '../protocol/schemas';
import type { Mark } from '../protocol/positions';
import { toHeldOperation, type HeldOperation } from './held-operation';
import { bytesOf, type StoredBatch } from './held-batch';
import type { HeldQueue } from './held-queue';

/** What is kept of a session over a reload. Plain JSON; a storage must not look inside. */
export interface QueueRecord {
  readonly version: 1;
  readonly client: ClientCredentials | null;
  /** Whatever of the batches was ordered, was ordered behind this. */
  readonly after: Mark;
  /** Batches that may have been sent, under the numbers and in the grouping in which they were. */
  readonly batches: ReadonlyArray<{
    readonly clientId: string;
    readonly clientSeq: number;
    readonly base: Mark | null;
    readonly operations: readonly unknown[];
  }>;
  /** Operations that were never sent. */
  readonly pending: readonly unknown[];
}

/**
 * Where queues are kept, by key. What `save` was given must be there after a crash of the tab once it has resolved. Keep the
 * storages of different users apart: what one wrote is sent in the name of whoever opens it.
 */
export interface QueueStorage {
  load(key: string): Promise<QueueRecord | null>;
  save(key: string, record: QueueRecord): Promise<void>;
  clear(key: string): Promise<void>;
}

/** Locks over everything that shares a storage: all tabs of a browser, all processes of a directory. */
export interface QueueLocks {
  /** Answers a function that gives the lock back, or null where somebody else has it. It dies with its holder. */
  tryAcquire(name: string): Promise<(() => void) | null>;
}

/** So many tabs with the same document are nobody's habit; further ones work without a stored queue. */
const MAX_SLOTS = 16;

export interface RestoredQueue {
  readonly client: ClientCredentials | null;
  readonly after: Mark;
  readonly batches: readonly StoredBatch[];
  readonly pending: readonly HeldOperation[];
}

interface Slot {
  readonly key: string;
  readonly release: () => void;
}

interface Callbacks {
  /** More may be sent: it is stored, or cannot be. */
  readonly onStored: () => void;
  /** What is new is not stored; once for all failures until `onRecovered`. */
  readonly onFailed: (cause: unknown) => void;
  readonly onRecovered: () => void;
}

/** What is to be stored; records are made of it when they are written. */
interface Held {
  readonly client: ClientCredentials | null;
  readonly after: Mark;
  readonly queue: HeldQueue;
}

/**
 * The stored copy of one session's held queue, locked to this tab (CL4). Every tab has a slot of its own: a duplicated tab finds
 * the first one taken and becomes a new client. Writes the whole record, one write at a time, always the latest. Where that fails, what
 * was stored before stays as long as it is true, and every further change tries again.
 */
export class StoredQueue {
  readonly #sessionId: string;
  readonly #storage: QueueStorage;
  readonly #locks: QueueLocks;
  #slot: Slot | null = null;
  #callbacks: Callbacks | null = null;
  #version = -1;
  /** Of the operations in the record. */
  #storedBytes = 0;
  #unwritten: Held | null = null;
  /** Something is to be sent that the record lacks. */
  #isAwaited = false;
  #isWriting = false;
  #isFailing = false;
  #isClearedAtEnd = false;
  #state: 'new' | 'open' | 'moving' | 'off' | 'closed' = 'new';

  constructor(sessionId: string, storage: QueueStorage, locks: QueueLocks) {
    this.#sessionId = sessionId;
    this.#storage = storage;
    this.#locks = locks;
  }

  /** The version of the queue that is stored; everything, once storing has been given up. */
  get version(): number {
    return this.#state === 'off' ? Number.POSITIVE_INFINITY : this.#version;
  }

  /** Takes the first free slot and answers what it holds. */
  async open(callbacks: Callbacks): Promise<RestoredQueue | null> {
    this.#callbacks = callbacks;
    try {
      this.#slot = await this.#takeSlot();
      if (this.#isClosed()) return null;
      const record = this.#slot ? await this.#storage.load(this.#slot.key) : null;
      if (this.#isClosed()) return null;
      this.#state = this.#slot ? 'open' : 'off';
      if (!record) return null;
      const restored = toRestoredQueue(record);
      const operations = restored.batches.flatMap((batch) => batch.operations);
      this.#storedBytes = bytesOf([...operations, ...restored.pending]);
      return restored;
    } catch (cause) {
      this.#giveUp(cause);
      return null;
    }
  }

  /** `isAwaited`: something of it is to be sent and cannot until it is stored. */
  keep(held: Held, isAwaited: boolean): void {
    if (this.#state !== 'open' && this.#state !== 'moving') return;
    this.#unwritten = held;
    this.#isAwaited ||= isAwaited;
    if (!this.#isWriting && this.#state === 'open') void this.#write();
  }

  /** Another tab has the slot as well and is the client it names now: leave it to that one. */
  moveOut(): void {
    if (this.#state !== 'open') return;
    this.#state = 'moving';
    this.#version = -1;
    this.#storedBytes = 0;
    const old = this.#slot;
    this.#slot = null;
    this.#takeSlot().then(
      (slot) => {
        old?.release();
        this.#slot = slot;
        if (this.#isClosed()) return void this.#end();
        this.#state = slot ? 'open' : 'off';
        if (slot && !this.#isWriting) void this.#write();
        else this.#callbacks?.onStored();
      },
      (cause: unknown) => this.#giveUp(cause),
    );
  }

  /** What waits to be written is written first. `isEmpty`: everything is saved, so nothing needs to be found again. */
  close(isEmpty: boolean): void {
    this.#isClearedAtEnd = isEmpty && this.#state === 'open';
    this.#state = 'closed';
    if (!this.#isWriting) void this.#end();
  }

  async #end(): Promise<void> {
    const slot = this.#slot;
    this.#slot = null;
    try {
      if (slot && this.#isClearedAtEnd) await this.#storage.clear(slot.key);
    } catch {
      // What is left is saved already: found again, it is sent again and recognised.
    } finally {
      slot?.release();
    }
  }

  async #takeSlot(): Promise<Slot | null> {
    for (let number = 0; number < MAX_SLOTS; number += 1) {
      const key = `${this.#sessionId}/${number}`;
      const release = await this.#locks.tryAcquire(`flow-queue/${key}`);
      if (release) return { key, release };
    }
    return null;
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#unwritten; next && this.#slot; next = this.#unwritten) {
      this.#unwritten = null;
      await this.#store(this.#slot, next);
    }
    this.#isWriting = false;
    if (this.#isClosed()) void this.#end();
  }

  async #store(slot: Slot, held: Held): Promise<void> {
    try {
      await this.#save(slot, held, Number.POSITIVE_INFINITY);
      if (this.#isFailing) this.#callbacks?.onRecovered();
      this.#isFailing = false;
    } catch (cause) {
      if (!this.#isFailing) this.#callbacks?.onFailed(cause);
      this.#isFailing = true;
      if (slot === this.#slot && this.#isUntrue(held.queue)) await this.#replace(slot, held);
    }
  }

  /** What was taken out must not come back, and what is sent must not be restored as if it had not been. */
  #isUntrue({ takenOutAt }: HeldQueue): boolean {
    return takenOutAt > this.#version || (this.#isAwaited && !this.#isClosed());
  }

  /** What is stored cannot stay. A record of its size may be taken, or one of what is being sent; at last there is none. */
  async #replace(slot: Slot, held: Held): Promise<void> {
    for (const maxBytes of [this.#storedBytes, 0]) {
      try {
        return await this.#save(slot, this.#unwritten ?? held, maxBytes);
      } catch {
        // Less may still be taken.
      }
    }
    // Where not even that is possible the old record stays, and going on is better than not going on.
    await this.#storage.clear(slot.key).catch(() => {});
    this.#noteStored(slot, Number.POSITIVE_INFINITY, 0);
  }

  async #save(slot: Slot, { client, after, queue }: Held, maxBytes: number): Promise<void> {
    const { version } = queue;
    const { record, bytes } = toRecord(client, after, queue, maxBytes);
    await this.#storage.save(slot.key, record);
    this.#noteStored(slot, version, bytes);
  }

  #noteStored(slot: Slot, version: number, bytes: number): void {
    if (slot !== this.#slot || this.#state !== 'open') return;
    this.#version = version;
    this.#storedBytes = bytes;
    this.#isAwaited = false;
    this.#callbacks?.onStored();
  }

  /** There is no slot to be had, or what it holds cannot be read and is not to be written over. */
  #giveUp(cause: unknown): void {
    if (this.#isClosed()) return;
    this.#state = 'off';
    this.#callbacks?.onFailed(cause);
    this.#callbacks?.onStored();
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}

const valuesOf = (operations: readonly HeldOperation[]): unknown[] => operations.map(({ value }) => value);

/** All batches, since each may have been sent, and of what was never sent the first that go into so many bytes altogether. */
function toRecord(
  client: ClientCredentials | null,
  after: Mark,
  queue: HeldQueue,
  maxBytes: number,
): { record: QueueRecord; bytes: number } {
  const held = queue.batchesAfter(after.seq);
  const batches = held.map(({ clientId, clientSeq, base, operations }) => {
    return { clientId, clientSeq, base, operations: valuesOf(operations) };
  });
  let bytes = held.reduce((sum, { operations }) => sum + bytesOf(operations), 0);
  const pending: unknown[] = [];
  for (const operation of queue.pending) {
    if (bytes + operation.bytes > maxBytes) break;
    bytes += operation.bytes;
    pending.push(operation.value);
  }
  return { record: { version: 1, client, after, batches, pending }, bytes };
}

function toRestoredQueue({ client, after, batches, pending }: QueueRecord): RestoredQueue {
  return {
    client,
    after,
    batches: batches.map((batch) => ({ ...batch, operations: batch.operations.map(toHeldOperation) })),
    pending: pending.map(toHeldOperation),
  };
}
