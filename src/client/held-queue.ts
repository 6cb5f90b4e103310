import type { WireEntry } from '../protocol/entry';
import type { FlowError } from '../protocol/errors';
import type { Mark } from '../protocol/positions';
import {
  bytesOf,
  fitting,
  lastClientSeqOf,
  seqOf,
  sizeOf,
  type BatchState,
  type HeldBatch,
  type StoredBatch,
} from './held-batch';
import { isSameOperation, type HeldOperation } from './held-operation';
import { DEFAULT_LIMITS } from './limits';
import type { Placed } from './receipt';

interface Batch extends HeldBatch {
  /** Place among everything ever held here; no number of the wire. */
  readonly order: number;
  clientId: string;
  clientSeq: number;
  state: BatchState;
  version: number;
}

export interface HeldCounts {
  /** Operations that are not known to be ordered. */
  readonly unsent: number;
  /** Operations that are ordered, but not saved. */
  readonly ordered: number;
  /** Operations that are saved, since the queue was made. */
  readonly saved: number;
}

/** Several operations go together up to so many bytes: on a slow line (30 kB/s) that is nine seconds without an answer. */
const SEAL_BYTES = 262_144;

const WAITING: BatchState = { kind: 'waiting' };

/**
 * Everything submitted and not yet saved (CL1): ordered batches, then open ones, which have a number but no known place, then
 * operations that were never sent. A pure state machine: it neither sends nor waits.
 */
export class HeldQueue {
  /** Of the server, as the last join told them. */
  limits = DEFAULT_LIMITS;
  /** By seq. */
  #ordered: Batch[] = [];
  /** In the order of submission. */
  #open: Batch[] = [];
  #pending: HeldOperation[] = [];
  #clientId: string | null = null;
  /** The highest number the server is known to have. */
  #lastSeen = 0;
  /** Numbers up to this one were seen in the history with other operations than ours: another tab spoke for this client. */
  #lastTaken = 0;
  /** The highest number among what was let go of. */
  #lastReleased = 0;
  #nextOrder = 0;
  #version = 0;
  #takenOutAt = -1;
  #bytes = 0;
  #openOperations = 0;
  /** Ordered, and not saved. */
  #orderedOperations = 0;
  #savedOperations = 0;
  #savedSeq = 0;

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  /** The last version with which something left that was not saved; -1: none. */
  get takenOutAt(): number {
    return this.#takenOutAt;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#ordered.length + this.#open.length + this.#pending.length === 0;
  }

  get counts(): HeldCounts {
    return {
      unsent: this.#openOperations + this.#pending.length,
      ordered: this.#orderedOperations,
      saved: this.#savedOperations,
    };
  }

  get ordered(): readonly HeldBatch[] {
    return this.#ordered;
  }

  get open(): readonly HeldBatch[] {
    return this.#open;
  }

  get pending(): readonly HeldOperation[] {
    return this.#pending;
  }

  /** What is not ordered at or below `seq`, in the order of submission and so of its numbers. */
  batchesAfter(seq: number): readonly HeldBatch[] {
    return [...this.#ordered.filter((batch) => seqOf(batch) > seq), ...this.#open].sort((a, b) => a.order - b.order);
  }

  hold(operations: readonly HeldOperation[]): void {
    this.#version += 1;
    for (const operation of operations) this.#pending.push(operation);
    this.#bytes += bytesOf(operations);
  }

  /** A proposal is a batch of its own from the start. */
  holdProposal(operations: readonly HeldOperation[], base: Mark, clientId: string): HeldBatch {
    this.#bytes += bytesOf(operations);
    return this.#seal(operations, base, clientId);
  }

  /** What a stored queue held: batches that may have been sent, then operations that were not. They come before all else. */
  restore(clientId: string | null, batches: readonly StoredBatch[], pending: readonly HeldOperation[]): void {
    this.#version += 1;
    this.#clientId = clientId;
    this.#open = batches.map((batch, order) => ({ ...batch, order, version: this.#version, state: WAITING }));
    this.#nextOrder = batches.length;
    this.#openOperations = sizeOf(batches);
    this.#pending = [...pending, ...this.#pending];
    this.#bytes = bytesOf([...batches.flatMap(({ operations }) => operations), ...this.#pending]);
  }

  /** The next batch to send, made of pending operations where none waits; null: nothing to send. */
  nextToSend(): HeldBatch | null {
    const waiting = this.#open.find(({ state }) => state.kind === 'waiting');
    if (waiting) return this.#fitted(waiting);
    if (this.#pending.length === 0 || this.#clientId === null) return null;
    const { batchOperations, batchBytes } = this.limits;
    const count = fitting(this.#pending, batchOperations, Math.min(batchBytes, SEAL_BYTES));
    return this.#seal(this.#pending.splice(0, count), null, this.#clientId);
  }

  setState(batch: HeldBatch, state: Exclude<BatchState, { kind: 'ordered' }>): void {
    const open = this.#open.find((other) => other === batch);
    if (open) open.state = state;
  }

  /** Nothing is on its way any more: what was sent and not delivered has an unknown fate. */
  forgetWhatWasSent(): void {
    for (const batch of this.#open) batch.state = WAITING;
  }

  /** The server takes nothing that begins before `clientSeq` and ends behind it: it has the first part already. */
  splitAt(clientSeq: number): void {
    if (this.#clientId !== null) this.#splitAt(this.#clientId, clientSeq);
  }

  /**
   * An entry of the history. `own`: it is ours, and what it confirms is ordered now. `taken`: it has our name and a number of
   * ours, but other operations; it is to be treated like a remote one, and ours need other numbers (CL2).
   */
  confirm(entry: WireEntry): 'own' | 'remote' | 'taken' {
    const { clientId, clientSeq: last, seq, epoch } = entry;
    const first = last - entry.operations.length + 1;
    if (clientId === this.#clientId) this.#lastSeen = Math.max(this.#lastSeen, last);
    const start = this.#open.findIndex((batch) => batch.clientId === clientId && lastClientSeqOf(batch) >= first);
    const candidate = this.#open[start];
    if (!candidate || candidate.clientSeq > last) return 'remote';
    if (!this.#matches(entry, start, first)) {
      this.#noteTaken(clientId, last);
      return 'taken';
    }
    this.#splitAt(clientId, first);
    this.#splitAt(clientId, last + 1);
    this.#moveToOrdered(
      (batch) => batch.clientId === clientId && batch.clientSeq >= first && lastClientSeqOf(batch) <= last,
      { epoch, seq },
    );
    return 'own';
  }

  /** The server says that it has a number of ours, and the history up to there does not show it: somebody else used it. */
  noteNotInHistory(batch: HeldBatch): void {
    this.#noteTaken(batch.clientId, lastClientSeqOf(batch));
  }

  /** Whether we still hold operations without a place that the server has, or may have: of a former id it says nothing. */
  get isInDoubt(): boolean {
    return this.#open.some(({ clientId, clientSeq }) => clientId !== this.#clientId || clientSeq <= this.#lastSeen);
  }

  /** The whole history was looked through: a number of ours that the server has, and that is still open, is somebody else's. */
  noteAllSeen(): void {
    this.#lastTaken = Math.max(this.#lastTaken, this.#lastSeen);
  }

  /** What was sent under numbers up to `lastClientSeq` and did not come with an entry is part of a snapshot. */
  noteInSnapshot(lastClientSeq: number, placed: Placed): void {
    const clientId = this.#clientId;
    if (clientId === null) return;
    this.#splitAt(clientId, lastClientSeq + 1);
    this.#moveToOrdered(
      (batch) =>
        batch.clientId === clientId && lastClientSeqOf(batch) <= lastClientSeq && batch.clientSeq > this.#lastTaken,
      placed,
    );
  }

  noteSaved(seq: number): void {
    for (const batch of this.#ordered) {
      if (seqOf(batch) > seq) break;
      if (seqOf(batch) <= this.#savedSeq) continue;
      this.#orderedOperations -= batch.operations.length;
      this.#savedOperations += batch.operations.length;
      for (const { receipt } of batch.operations) receipt?.noteSaved();
    }
    this.#savedSeq = Math.max(this.#savedSeq, seq);
  }

  /** Lets go of what is saved and can no longer be rolled back. Answers how many operations. */
  release(seq: number): number {
    const kept = this.#ordered.findIndex((batch) => seqOf(batch) > seq);
    const released = this.#ordered.splice(0, kept < 0 ? this.#ordered.length : kept);
    if (released.length === 0) return 0;
    this.#version += 1;
    for (const batch of released) {
      this.#bytes -= bytesOf(batch.operations);
      if (batch.clientId === this.#clientId) this.#lastReleased = Math.max(this.#lastReleased, lastClientSeqOf(batch));
    }
    return sizeOf(released);
  }

  /** The history after `seq` is void: what of ours was in it has no place any more. */
  rollBackAfter(seq: number): void {
    const isVoid = (batch: Batch): boolean => seqOf(batch) > seq;
    const reopened = this.#ordered.filter(isVoid);
    this.#savedOperations -= sizeOf(reopened.filter((batch) => seqOf(batch) <= this.#savedSeq));
    this.#ordered = this.#ordered.filter((batch) => !isVoid(batch));
    for (const batch of reopened) batch.state = WAITING;
    this.#open = [...reopened, ...this.#open].sort((a, b) => a.order - b.order);
    this.#openOperations += sizeOf(reopened);
    this.#savedSeq = Math.min(this.#savedSeq, seq);
    this.#orderedOperations = sizeOf(this.#ordered.filter((batch) => seqOf(batch) > this.#savedSeq));
    this.#lastTaken = 0;
    // A history that begins anew may be older than what was let go of: then the server's numbers are the only ones.
    if (seq < 0) this.#lastReleased = 0;
  }

  /** Takes out open batches, because their editor has them back. */
  withdraw(isWithdrawn: (batch: HeldBatch) => boolean): readonly HeldBatch[] {
    const withdrawn = this.#open.filter(isWithdrawn);
    if (withdrawn.length === 0) return withdrawn;
    this.#noteTakenOut();
    this.#open = this.#open.filter((batch) => !withdrawn.includes(batch));
    this.#openOperations -= sizeOf(withdrawn);
    for (const { operations } of withdrawn) this.#bytes -= bytesOf(operations);
    return withdrawn;
  }

  /** Lets go of what has no place yet: of one batch, or of everything. */
  discard(batch: HeldBatch | null, reason: FlowError): readonly HeldOperation[] {
    const withdrawn = this.withdraw((other) => batch === null || other === batch);
    const pending = batch === null ? this.#pending.splice(0) : [];
    const discarded = [...withdrawn.flatMap(({ operations }) => operations), ...pending];
    this.#noteTakenOut();
    this.#bytes -= bytesOf(pending);
    for (const { partOf } of discarded) partOf?.noteLost(reason);
    return discarded;
  }

  /** A join: who we are, and the truth about which of our numbers the server has. */
  noteJoined(clientId: string, lastClientSeq: number): void {
    if (clientId !== this.#clientId) {
      this.#clientId = clientId;
      this.#lastTaken = 0;
      this.#lastReleased = 0;
      this.#version += 1;
    }
    this.#lastSeen = lastClientSeq;
  }

  /**
   * After catching up, when the history has told what of ours it has: gives what is still open numbers the server will take.
   * A number that fits is kept, also one the server may have: then the batch is answered as a duplicate.
   */
  settleNumbers(): void {
    const clientId = this.#clientId;
    if (clientId === null) return;
    // What the history shows has its number, also where the server knows of less: then it is about to find out what it lost.
    const shown = this.#ordered.findLast((batch) => batch.clientId === clientId);
    this.#lastSeen = Math.max(this.#lastSeen, this.#lastReleased, shown ? lastClientSeqOf(shown) : 0);
    let next: number | null = null;
    for (const batch of this.#open) {
      const continues: boolean = next === null ? batch.clientSeq <= this.#lastSeen + 1 : batch.clientSeq === next;
      if (batch.clientId !== clientId || !continues || batch.clientSeq <= this.#lastTaken) {
        batch.clientId = clientId;
        batch.clientSeq = Math.max(next ?? 0, this.#lastSeen + 1);
        this.#version += 1;
        batch.version = this.#version;
      }
      next = lastClientSeqOf(batch) + 1;
    }
    this.#lastTaken = 0;
  }

  /** The session ends: what is held will not be saved by us. */
  giveUp(failure: FlowError): void {
    const held = [...this.#ordered, ...this.#open].flatMap(({ operations }) => operations);
    for (const { receipt } of [...held, ...this.#pending]) receipt?.noteLost(failure);
  }

  /** A batch of an earlier life may be more than this server takes. That it was not ordered, the history has told. */
  #fitted(batch: Batch): HeldBatch {
    if (batch.base) return batch;
    const count = fitting(batch.operations, this.limits.batchOperations, this.limits.batchBytes);
    if (count === batch.operations.length) return batch;
    this.#splitAt(batch.clientId, batch.clientSeq + count);
    return this.#open.find(({ state }) => state.kind === 'waiting') ?? batch;
  }

  #seal(operations: readonly HeldOperation[], base: Mark | null, clientId: string): Batch {
    this.#version += 1;
    const last = this.#open[this.#open.length - 1];
    const clientSeq = Math.max(this.#lastSeen, last ? lastClientSeqOf(last) : 0) + 1;
    const batch: Batch = {
      order: this.#nextOrder,
      operations,
      base,
      clientId,
      clientSeq,
      state: WAITING,
      version: this.#version,
    };
    this.#nextOrder += 1;
    this.#open.push(batch);
    this.#openOperations += operations.length;
    return batch;
  }

  /** Whether every operation of the entry is, one by one, the one held under its number; grouping does not matter. */
  #matches(entry: WireEntry, start: number, first: number): boolean {
    let number = first;
    for (let index = start; index < this.#open.length && number <= entry.clientSeq; index += 1) {
      const batch = this.#open[index];
      if (!batch || batch.clientId !== entry.clientId || batch.clientSeq > number) return false;
      for (const held of batch.operations.slice(number - batch.clientSeq, entry.clientSeq + 1 - batch.clientSeq)) {
        if (!isSameOperation(held, entry.operations[number - first])) return false;
        number += 1;
      }
    }
    return number > entry.clientSeq;
  }

  #noteTakenOut(): void {
    this.#version += 1;
    this.#takenOutAt = this.#version;
  }

  #noteTaken(clientId: string, clientSeq: number): void {
    if (clientId === this.#clientId) this.#lastTaken = Math.max(this.#lastTaken, clientSeq);
  }

  #moveToOrdered(isMoved: (batch: Batch) => boolean, placed: Placed): void {
    const from = this.#open.findIndex(isMoved);
    if (from < 0) return;
    // Numbers ascend along the queue, so what one entry or one snapshot covers lies together.
    const kept = this.#open.findIndex((batch, index) => index > from && !isMoved(batch));
    const moved = this.#open.splice(from, (kept < 0 ? this.#open.length : kept) - from);
    const count = sizeOf(moved);
    this.#openOperations -= count;
    if (placed.seq > this.#savedSeq) this.#orderedOperations += count;
    else this.#savedOperations += count;
    for (const batch of moved) {
      batch.state = { kind: 'ordered', ...placed };
      for (const { receipt } of batch.operations) receipt?.noteOrdered(placed);
      if (placed.seq <= this.#savedSeq) for (const { receipt } of batch.operations) receipt?.noteSaved();
    }
    const last = this.#ordered[this.#ordered.length - 1];
    this.#ordered.push(...moved);
    // Only what a snapshot turns out to hold comes out of order.
    if (last && seqOf(last) > placed.seq) this.#ordered.sort((a, b) => seqOf(a) - seqOf(b));
  }

  /** Makes `clientSeq` the first number of a batch, where it lies inside one. */
  #splitAt(clientId: string, clientSeq: number): void {
    const index = this.#open.findIndex(
      (batch) => batch.clientId === clientId && batch.clientSeq < clientSeq && lastClientSeqOf(batch) >= clientSeq,
    );
    const batch = this.#open[index];
    if (!batch) return;
    const count = clientSeq - batch.clientSeq;
    // An answer to the whole says nothing about the parts: they are sent again if need be.
    const head: Batch = { ...batch, operations: batch.operations.slice(0, count), state: WAITING };
    const tail: Batch = { ...batch, operations: batch.operations.slice(count), clientSeq, state: WAITING };
    this.#open.splice(index, 1, head, tail);
  }
}
