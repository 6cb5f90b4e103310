import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { AwarenessStates, Requests } from '../protocol/schemas';

/** A cursor, a name and a colour are some hundred bytes; this leaves room for selections and a picture's address. */
const MAX_STATE_BYTES = 16_384;
/** A connection speaks for one editor; a page with several editors on one document has a few. */
const MAX_STATES_PER_CONNECTION = 8;
/** Id, clock and punctuation around a state in a frame. */
const STATE_OVERHEAD_BYTES = 40;

interface OwnedState {
  readonly connectionId: string;
  readonly clock: number;
  readonly state: unknown;
  /** As JSON. */
  readonly bytes: number;
}

interface AwarenessOptions {
  readonly clock: Clock;
  /** Least time between two frames. */
  readonly intervalMs: number;
  /** The interval widens so that one receiver gets no more than this. */
  readonly bytesPerSecond: number;
  readonly send: (states: AwarenessStates) => void;
}

/**
 * Who points where in one session (DL9). A state belongs to the connection that sent it and goes with it. Frames are coalesced:
 * whatever the number of movers, a receiver gets one frame per interval.
 */
export class Awareness {
  readonly #options: AwarenessOptions;
  readonly #states = new Map<string, OwnedState>();
  #changed = new Set<string>();
  #removed = new Map<string, number>();
  #cancel: (() => void) | undefined;

  constructor(options: AwarenessOptions) {
    this.#options = options;
  }

  /** All known states, for a joiner. */
  states(): AwarenessStates {
    const states: AwarenessStates = {};
    for (const [awarenessId, { clock, state }] of this.#states) states[awarenessId] = { clock, state };
    return states;
  }

  /** A state older than the known one is passed over; one that another connection owns is refused. */
  update(connectionId: string, { awarenessId, clock, state }: Requests['awareness:update']): void {
    const known = this.#states.get(awarenessId);
    if (known && known.connectionId !== connectionId)
      throw new FlowError('FORBIDDEN', 'Another connection owns this awareness id.');
    const isGone = state === null || state === undefined;
    if (known && (clock < known.clock || (clock === known.clock && !isGone))) return;
    if (isGone) {
      if (known) this.#remove(awarenessId, clock);
    } else {
      if (!known && this.#countOf(connectionId) >= MAX_STATES_PER_CONNECTION) {
        throw new FlowError('TOO_LARGE', `A connection may have ${MAX_STATES_PER_CONNECTION} awareness states.`);
      }
      const bytes = Buffer.byteLength(JSON.stringify(state));
      if (bytes > MAX_STATE_BYTES) {
        throw new FlowError('TOO_LARGE', `An awareness state may have ${MAX_STATE_BYTES} bytes.`);
      }
      this.#states.set(awarenessId, { connectionId, clock, state, bytes });
      this.#removed.delete(awarenessId);
      this.#changed.add(awarenessId);
    }
    this.#schedule();
  }

  /** The connection is gone, and what it showed with it. */
  leave(connectionId: string): void {
    for (const [awarenessId, owned] of this.#states) {
      // Under the clock it is known by, so that whoever comes back with the next one is seen again.
      if (owned.connectionId === connectionId) this.#remove(awarenessId, owned.clock);
    }
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#states.clear();
    this.#changed.clear();
    this.#removed.clear();
  }

  #remove(awarenessId: string, clock: number): void {
    this.#states.delete(awarenessId);
    this.#changed.delete(awarenessId);
    this.#removed.set(awarenessId, clock);
  }

  #countOf(connectionId: string): number {
    let count = 0;
    for (const owned of this.#states.values()) if (owned.connectionId === connectionId) count += 1;
    return count;
  }

  /** The first change after quiet goes out at once, further ones with the next frame. */
  #schedule(): void {
    if (!this.#cancel && this.#changed.size + this.#removed.size > 0) this.#flush();
  }

  #flush(): void {
    const states: AwarenessStates = {};
    let frameBytes = (this.#changed.size + this.#removed.size) * STATE_OVERHEAD_BYTES;
    for (const awarenessId of this.#changed) {
      const owned = this.#states.get(awarenessId);
      if (!owned) continue;
      states[awarenessId] = { clock: owned.clock, state: owned.state };
      frameBytes += owned.bytes;
    }
    for (const [awarenessId, clock] of this.#removed) states[awarenessId] = { clock, state: null };
    this.#changed = new Set();
    this.#removed = new Map();
    const { clock, intervalMs, bytesPerSecond, send } = this.#options;
    send(states);
    const frameMs = (frameBytes / bytesPerSecond) * 1_000;
    this.#cancel = clock.after(Math.max(intervalMs, frameMs), () => {
      this.#cancel = undefined;
      this.#schedule();
    });
  }
}
