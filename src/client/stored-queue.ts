import type { ClientCredentials } from '../protocol/schemas';
import type { Mark } from '../protocol/positions';
import { toHeldOperation, type HeldOperation } from './held-operation';
import type { HeldQueue, StoredBatch } from './held-queue';

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
  readonly onStored: () => void;
  readonly onFailed: (cause: unknown) => void;
}

/**
 * The stored copy of one session's held queue, locked to this tab (CL4). Every tab has a slot of its own: a duplicated tab finds
 * the first one taken and becomes a new client. Writes the whole record, one write at a time, always the latest.
 */
export class StoredQueue {
  readonly #sessionId: string;
  readonly #storage: QueueStorage;
  readonly #locks: QueueLocks;
  #slot: Slot | null = null;
  #callbacks: Callbacks | null = null;
  #version = -1;
  /** Not yet written; the record is made when it is. */
  #unwritten: { client: ClientCredentials | null; after: Mark; queue: HeldQueue } | null = null;
  #isWriting = false;
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
      return record ? toRestoredQueue(record) : null;
    } catch (cause) {
      this.#giveUp(cause);
      return null;
    }
  }

  keep(client: ClientCredentials | null, after: Mark, queue: HeldQueue): void {
    if (this.#state !== 'open' && this.#state !== 'moving') return;
    this.#unwritten = { client, after, queue };
    if (!this.#isWriting && this.#state === 'open') void this.#write();
  }

  /** Another tab has the slot as well and is the client it names now: leave it to that one. */
  moveOut(): void {
    if (this.#state !== 'open') return;
    this.#state = 'moving';
    this.#version = -1;
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
    try {
      for (let next = this.#unwritten; next && this.#slot; next = this.#unwritten) {
        const slot = this.#slot;
        const { version } = next.queue;
        this.#unwritten = null;
        await this.#storage.save(slot.key, toRecord(next.client, next.after, next.queue));
        if (slot !== this.#slot || this.#state !== 'open') continue;
        this.#version = version;
        this.#callbacks?.onStored();
      }
    } catch (cause) {
      this.#giveUp(cause);
      if (this.#slot) this.#storage.clear(this.#slot.key).catch(() => {});
    } finally {
      this.#isWriting = false;
      if (this.#isClosed()) void this.#end();
    }
  }

  /** Going on without a stored copy is better than not going on. (An outdated one would send again what was sent since.) */
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

function toRecord(client: ClientCredentials | null, after: Mark, queue: HeldQueue): QueueRecord {
  const batches = queue.batchesAfter(after.seq).map(({ clientId, clientSeq, base, operations }) => {
    return { clientId, clientSeq, base, operations: valuesOf(operations) };
  });
  return { version: 1, client, after, batches, pending: valuesOf(queue.pending) };
}

function toRestoredQueue({ client, after, batches, pending }: QueueRecord): RestoredQueue {
  return {
    client,
    after,
    batches: batches.map((batch) => ({ ...batch, operations: batch.operations.map(toHeldOperation) })),
    pending: pending.map(toHeldOperation),
  };
}
