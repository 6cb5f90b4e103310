import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { FlowError, type ErrorCode } from '../protocol/errors';
import { fromBase64, toBase64 } from './base64';
import { Emitter } from './emitter';
import type { FlowClient } from './flow-client';
import type { FlowSession } from './session';
import type { Delivery, SessionEvents } from './session-events';
import type { SessionStatus } from './session-status';
import { systemClock, Timers, type Clock } from './timers';
import { AwarenessLink } from './yjs-awareness';
import { YjsKnowledge } from './yjs-knowledge';
import { divideRefused, mergeUpdates, splitUpdate } from './yjs-updates';

export interface FlowYjsProviderOptions<Presence extends Awareness | null = Awareness | null> {
  /** One made elsewhere; it is not destroyed with the provider. `null`: none. */
  readonly awareness?: Presence;
  /** Local changes are sent together at most so often; 0: those of one turn of the event loop. */
  readonly flushIntervalMs?: number;
  /** False: `connect` is called by the owner. */
  readonly connect?: boolean;
  readonly clock?: Clock;
  /** 0 ≤ value < 1, like Math.random. */
  readonly random?: () => number;
}

export interface FlowYjsProviderEvents {
  status: { readonly status: 'connecting' | 'connected' | 'disconnected' };
  sync: boolean;
  synced: boolean;
  /** How many operations are not saved; 0: what is written is safe. */
  unsaved: number;
  saved: undefined;
  /** True: no more can be kept (CL4); make the editor read-only until it is false. What is in the document already is kept. */
  full: boolean;
  /** True: our role lets us read only; make the editor read-only until it is false. What is written all the same ends as `refused`. */
  'read-only': boolean;
  /** The server will not take our changes, or not let us in. */
  refused: FlowError;
  /** Bindings ask for these two. They are never told: changes are the document's to tell, and it is never replaced. */
  update: unknown;
  reload: Y.Doc;
}

/** Raw bytes of one operation at most, though the server takes more (EO10): in base64 six seconds on a slow line (30 kB/s). */
const MAX_UPDATE_BYTES = 131_072;
/** How the server refuses what is too much, by its size or by the time it takes to apply it. */
const TOO_MUCH: readonly ErrorCode[] = ['TOO_LARGE', 'BAD_REQUEST'];
/** Somebody else's change that the server lost is sent by its author first; the others help out after a while, not all at once. */
const RESCUE_DELAY_MS = { least: 1_000, spread: 4_000 };

/**
 * Keeps a Y.Doc, whatever types are in it, and an Awareness in sync with a session of format yjs. It looks as bindings expect providers to:
 * as that of y-websocket, as Hocuspocus's, and as Lexical's `Provider`. `Presence`: what the awareness is taken for, states included.
 */
export class FlowYjsProvider<Presence extends Awareness | null = Awareness> {
  readonly doc: Y.Doc;
  readonly awareness: Presence;
  readonly session: FlowSession;
  readonly #emitter = new Emitter<FlowYjsProviderEvents>();
  readonly #timers: Timers;
  readonly #flushIntervalMs: number;
  readonly #random: () => number;
  readonly #ownsAwareness: boolean;
  readonly #awarenessLink: AwarenessLink | null;
  readonly #stopListening: Array<() => void>;
  #status: FlowYjsProviderEvents['status']['status'] = 'disconnected';
  #isSynced = false;
  #unsaved = 0;
  #isFull = false;
  #isReadOnly = false;
  #refusedFor: FlowError | null = null;
  #isDestroyed = false;
  /** Local updates that were not handed to the session yet. */
  #updates: Uint8Array[] = [];
  #isFlushDue = false;
  #isDividing = false;
  /** What the server is known to have, while it is unclear whether it has everything we have. */
  #known: YjsKnowledge | null = null;
  /** What the document begins with. It waits for what was told with it: see `#apply`. */
  #snapshot: string | null = null;
  /** Changes of others that a fork took back and that have not come again. */
  #lost = new Set<string>();
  #hasCaughtUp = false;
  #cancelRescue: (() => void) | null = null;

  constructor(client: FlowClient, sessionId: string, doc: Y.Doc, options: FlowYjsProviderOptions<Presence> = {}) {
    this.doc = doc;
    this.session = client.session(sessionId);
    this.#timers = new Timers(options.clock ?? systemClock);
    this.#random = options.random ?? Math.random;
    this.#flushIntervalMs = options.flushIntervalMs ?? 0;
    this.#ownsAwareness = options.awareness === undefined;
    // How states look is a matter of those who write them; nothing here reads them.
    this.awareness = (options.awareness === undefined ? new Awareness(doc) : options.awareness) as Presence;
    this.#awarenessLink = this.awareness ? new AwarenessLink(this.awareness, this.session, this) : null;
    this.session.stateVector = () => (isEmpty(doc) ? undefined : toBase64(Y.encodeStateVector(doc)));
    this.#stopListening = this.#listen();
    if (options.connect ?? true) this.connect();
  }

  /** The same as `doc`. */
  get document(): Y.Doc {
    return this.doc;
  }

  /** Whether the document has everything the server had when we joined. False again while there is no connection. */
  get synced(): boolean {
    return this.#isSynced;
  }

  get status(): FlowYjsProviderEvents['status']['status'] {
    return this.#status;
  }

  /** Operations of ours that are not known to be saved. */
  get unsaved(): number {
    const { unsent, ordered } = this.session.counts;
    return unsent + ordered + (this.#updates.length > 0 ? 1 : 0);
  }

  /** Our role lets us read only. */
  get isReadOnly(): boolean {
    return this.#isReadOnly;
  }

  get resources(): { timers: number; listeners: number } {
    return { timers: this.#timers.size, listeners: this.#emitter.listenerCount };
  }

  on<Name extends keyof FlowYjsProviderEvents>(
    name: Name,
    listener: (payload: FlowYjsProviderEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /** The same for one event. */
  once<Name extends keyof FlowYjsProviderEvents>(
    name: Name,
    listener: (payload: FlowYjsProviderEvents[Name]) => void,
  ): () => void {
    return this.#emitter.once(name, listener);
  }

  off<Name extends keyof FlowYjsProviderEvents>(
    name: Name,
    listener: (payload: FlowYjsProviderEvents[Name]) => void,
  ): void {
    this.#emitter.off(name, listener);
  }

  /** Joins, and stays joined until `disconnect`. A refusal is told by the event `refused`. */
  connect(): void {
    this.session.join().catch((fault: unknown) => {
      if (!(fault instanceof FlowError)) throw fault;
    });
  }

  /** Leaves until `connect`. What is written meanwhile is kept, and sent then. */
  disconnect(): void {
    this.#flush();
    this.session.leave();
  }

  /** Resolves when everything in the document is saved; rejects when the session refuses it or is closed. */
  async whenSaved(): Promise<void> {
    this.#flush();
    await this.session.whenSaved();
    if (this.#updates.length > 0)
      throw new FlowError('TOO_LARGE', 'A change in the document is too large for any operation.');
  }

  /** Takes the own cursor away and leaves. What is not saved is lost unless a stored queue has it: see `whenSaved`. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#flush();
    this.#isDestroyed = true;
    this.#awarenessLink?.destroy();
    if (this.#ownsAwareness) this.awareness?.destroy();
    for (const stop of this.#stopListening) stop();
    this.session.stateVector = null;
    this.session.close();
    this.#timers.clear();
    this.#setSynced(false);
    this.#setStatus('disconnected');
    this.#emitter.clear();
  }

  #listen(): Array<() => void> {
    const { doc, session } = this;
    const onUpdate = (update: Uint8Array): void => this.#onLocalUpdate(update);
    const onDestroy = (): void => this.destroy();
    // Yjs encodes a change anew for whoever listens now. Of what came from the server, which may be a whole document, nobody here needs that.
    const onCleanup = ({ origin }: Y.Transaction): void => {
      if (origin === this || this.#isDestroyed) doc.off('update', onUpdate);
      else doc.on('update', onUpdate);
    };
    doc.on('afterTransactionCleanup', onCleanup);
    doc.on('destroy', onDestroy);
    return [
      () => doc.off('afterTransactionCleanup', onCleanup),
      () => doc.off('update', onUpdate),
      () => doc.off('destroy', onDestroy),
      session.on('status', (status) => this.#onStatus(status)),
      session.on('reset', (reset) => this.#onReset(reset)),
      session.on('fork', (fork) => this.#onFork(fork)),
      session.on('entries', (delivery) => this.#onEntries(delivery)),
      session.on('restored', ({ operations }) => this.#apply(operations)),
      session.on('caught-up', () => this.#onCaughtUp()),
      session.on('role', () => this.#onRole()),
      session.on('awareness', (states) => this.#awarenessLink?.apply(states)),
      session.on('room-again', () => this.#flush()),
    ];
  }

  // ————— ours

  #onLocalUpdate(update: Uint8Array): void {
    this.#updates.push(update);
    this.#flushSoon();
    this.#tellUnsaved();
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    if (this.#flushIntervalMs === 0) queueMicrotask(() => this.#flush());
    else this.#timers.after(this.#flushIntervalMs, () => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#isDestroyed || this.#updates.length === 0) return;
    const update = mergeUpdates(this.#updates);
    this.#updates = [];
    if (!this.#submit(this.#split(update))) this.#updates = [update];
    this.#tellUnsaved();
  }

  #split(update: Uint8Array): Uint8Array[] {
    return splitUpdate(update, this.#maxUpdateBytes);
  }

  get #maxUpdateBytes(): number {
    return Math.min(MAX_UPDATE_BYTES, rawBytesOf(this.session.limits.operationBytes));
  }

  /**
   * What turned out to be too much at once goes in smaller parts: it was held before the server had told how little it takes, or
   * applying it would take too long. False: it has none.
   */
  #divideRefused(): boolean {
    if (this.#isDividing) return true;
    const refused = this.session.heldOperations().find(({ state }) => state === 'unsent')?.operation;
    const parts = typeof refused === 'string' ? partsOfRefused(refused, this.#maxUpdateBytes) : null;
    if (!parts) return false;
    // First what takes its place, so that a stored queue has it at any time.
    this.#isDividing = true;
    const isHeld = this.#submit(parts);
    this.#isDividing = false;
    if (isHeld) this.session.discardRefused();
    return isHeld;
  }

  /**
   * False: nothing was taken. Either no more can be kept, and it is tried again when there is room; or it holds something that
   * is too large for any operation, and what comes after it would mean nothing without it.
   */
  #submit(updates: readonly Uint8Array[]): boolean {
    try {
      this.session.submit(updates.map(toBase64));
    } catch (cause) {
      if (!(cause instanceof FlowError)) throw cause;
      if (cause.code === 'BUSY') this.#setFull(true);
      else this.#emitter.emit('refused', cause);
      return false;
    }
    this.#setFull(false);
    return true;
  }

  // ————— theirs

  #onEntries({ entries }: Delivery): void {
    for (const { operations } of entries) {
      for (const operation of operations) {
        if (typeof operation !== 'string') continue;
        this.#lost.delete(operation);
        this.#learn(operation);
      }
    }
    // Own operations are in the document already.
    this.#apply(entries.flatMap(({ origin, operations }) => (origin === 'own' ? [] : operations)));
  }

  #onReset({ snapshot, stateVector }: SessionEvents['reset']): void {
    this.#snapshot = typeof snapshot?.payload === 'string' ? snapshot.payload : null;
    this.#lost.clear();
    this.#known = isEmpty(this.doc)
      ? null
      : new YjsKnowledge(
          this.#snapshot === null ? null : fromBase64(this.#snapshot),
          stateVector === null ? null : fromBase64(stateVector),
        );
    // Where nothing was told with it.
    queueMicrotask(() => this.#apply([]));
  }

  /** A Yjs document has nothing to undo; what others wrote must only not be forgotten with them. */
  #onFork({ rolledBack }: SessionEvents['fork']): void {
    for (const { origin, operations } of rolledBack) {
      if (origin === 'own') continue;
      for (const operation of operations) if (typeof operation === 'string') this.#lost.add(operation);
    }
  }

  /**
   * One transaction, so that an editor redraws once however much has come. Together with the snapshot, because Yjs joins at the end of a
   * transaction what the next one would have to cut again, which in a long document takes longer than everything else.
   */
  #apply(operations: readonly unknown[]): void {
    const all = this.#snapshot === null ? operations : [this.#snapshot, ...operations];
    this.#snapshot = null;
    if (all.length === 0 || this.#isDestroyed) return;
    Y.transact(
      this.doc,
      () => {
        for (const operation of all) this.#applyOne(operation);
      },
      this,
      false,
    );
  }

  #applyOne(operation: unknown): void {
    if (typeof operation !== 'string') return;
    try {
      Y.applyUpdate(this.doc, fromBase64(operation), this);
    } catch {
      // The server checks operations; one that still is no update changes nothing and must not keep the others away.
    }
  }

  // ————— what the server lacks

  #onCaughtUp(): void {
    this.#apply([]);
    const isFirst = !this.#hasCaughtUp;
    this.#hasCaughtUp = true;
    this.#setSynced(true);
    this.#awarenessLink?.sendOwn();
    this.#cancelRescue?.();
    this.#cancelRescue = null;
    if (!this.#known && this.#lost.size === 0) return;
    // At first it is our own work of earlier days, and we hear if it is not taken; later it may be everybody's who is here.
    if (isFirst) return this.#rescue();
    this.#rescueLater();
  }

  #rescueLater(): void {
    // Somebody will who may.
    if (this.#isReadOnly) return;
    const delayMs = RESCUE_DELAY_MS.least + this.#random() * RESCUE_DELAY_MS.spread;
    this.#cancelRescue = this.#timers.after(delayMs, () => this.#rescue());
  }

  #onRole(): void {
    const { isReadOnly } = this.session;
    if (isReadOnly === this.#isReadOnly) return;
    this.#isReadOnly = isReadOnly;
    this.#emitter.emit('read-only', isReadOnly);
    if (!isReadOnly && this.#isSynced && (this.#known || this.#lost.size > 0)) this.#rescueLater();
  }

  #rescue(): void {
    this.#cancelRescue = null;
    if (!this.session.isLive) return;
    this.#flush();
    for (const { operation } of this.session.heldOperations())
      if (typeof operation === 'string') this.#learn(operation);
    const lacked = this.#known?.lackedOf(this.doc);
    const updates = [...this.#lost].map(fromBase64);
    if (lacked) updates.push(...this.#split(lacked));
    if (updates.length === 0 || this.#submit(updates)) {
      this.#known = null;
      this.#lost.clear();
    } else {
      this.#cancelRescue = this.#timers.after(RESCUE_DELAY_MS.least, () => this.#rescue());
    }
    this.#tellUnsaved();
  }

  #learn(operation: string): void {
    try {
      this.#known?.add(fromBase64(operation));
    } catch {
      // No update: nothing to know.
    }
  }

  // ————— telling

  #onStatus(status: SessionStatus): void {
    this.#tellUnsaved();
    if (status.state !== 'refused') this.#refusedFor = null;
    switch (status.state) {
      case 'synced':
      case 'read-only':
      case 'saving':
        return this.#setStatus('connected');
      case 'refused':
        if (status.isReading && TOO_MUCH.includes(status.reason.code) && this.#divideRefused()) return;
        if (status.reason !== this.#refusedFor) this.#emitter.emit('refused', status.reason);
        this.#refusedFor = status.reason;
        return status.isReading ? this.#setStatus('connected') : this.#onInterrupted('disconnected');
      case 'connecting':
        return this.#onInterrupted('connecting');
      case 'offline':
      case 'idle':
      case 'closed':
        return this.#onInterrupted('disconnected');
    }
  }

  #onInterrupted(status: 'connecting' | 'disconnected'): void {
    this.#cancelRescue?.();
    this.#cancelRescue = null;
    if (this.#isSynced) this.#awarenessLink?.removeOthers();
    this.#setSynced(false);
    this.#setStatus(status);
  }

  #setStatus(status: FlowYjsProviderEvents['status']['status']): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#emitter.emit('status', { status });
  }

  #setSynced(isSynced: boolean): void {
    if (isSynced === this.#isSynced) return;
    this.#isSynced = isSynced;
    this.#emitter.emit('sync', isSynced);
    this.#emitter.emit('synced', isSynced);
  }

  #setFull(isFull: boolean): void {
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#emitter.emit('full', isFull);
  }

  #tellUnsaved(): void {
    const { unsaved } = this;
    if (unsaved === this.#unsaved) return;
    this.#unsaved = unsaved;
    this.#emitter.emit('unsaved', unsaved);
    if (unsaved === 0) this.#emitter.emit('saved', undefined);
  }
}

/** Of a base64 text that is an operation of so many bytes, with its quotes. */
const rawBytesOf = (operationBytes: number): number => Math.floor((operationBytes - 2) / 4) * 3;

function partsOfRefused(operation: string, maxBytes: number): Uint8Array[] | null {
  try {
    return divideRefused(fromBase64(operation), maxBytes);
  } catch {
    // No update: it was submitted by hand, and there is nothing to divide.
    return null;
  }
}

const isEmpty = (doc: Y.Doc): boolean => doc.store.clients.size === 0;
