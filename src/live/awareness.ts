import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import { JsonText } from '../protocol/json-text';
import type { AwarenessStates, Requests } from '../protocol/schemas';
import type { AwarenessState } from './neighbour-messages';

/** A cursor, a name and a colour are some hundred bytes; this leaves room for selections and a picture's address. */
const MAX_STATE_BYTES = 16_384;
/** A connection speaks for one editor; a page with several editors on one document has a few. */
const MAX_STATES_PER_CONNECTION = 8;

interface OwnedState extends AwarenessState {
  readonly connectionId: string;
}

/** Who sends a state. */
interface Owner {
  readonly connectionId: string;
  readonly clientId: string;
}

interface AwarenessOptions {
  readonly clock: Clock;
  /** Least time between two frames. */
  readonly intervalMs: number;
  /** The interval widens so that one receiver gets no more than this. */
  readonly bytesPerSecond: number;
  readonly send: (states: JsonText<AwarenessStates>) => void;
  /** Connections of other instances. */
  readonly elsewhere: {
    states(): Iterable<AwarenessState>;
    stateOf(awarenessId: string): AwarenessState | undefined;
  };
  /** A connection of this instance points elsewhere than before. */
  readonly onMoved: (awarenessId: string) => void;
}

/**
 * Who points where in one session (DL9). A state belongs to the connection that sent it and goes with it. Frames are coalesced:
 * whatever the number of movers, a receiver gets one frame per interval.
 */
export class Awareness {
  readonly #options: AwarenessOptions;
  /** Of connections of this instance. */
  readonly #states = new Map<string, OwnedState>();
  /** Ids to be told with the next frame, and the clock under which each was last known. */
  #changed = new Map<string, number>();
  #cancel: (() => void) | undefined;

  constructor(options: AwarenessOptions) {
    this.#options = options;
  }

  /** Of connections of this instance. */
  get here(): ReadonlyMap<string, AwarenessState> {
    return this.#states;
  }

  /** All known states, for a joiner. */
  states(): AwarenessStates {
    const states: AwarenessStates = {};
    for (const { awarenessId } of this.#options.elsewhere.states()) this.#show(states, awarenessId);
    for (const awarenessId of this.#states.keys()) this.#show(states, awarenessId);
    return states;
  }

  /** A state older than the known one is passed over; one that another connection owns is refused. */
  update({ connectionId, clientId }: Owner, { awarenessId, clock, state }: Requests['awareness:update']): void {
    const known = this.#states.get(awarenessId);
    const isOwn = known ? known.connectionId === connectionId : this.#isFree(awarenessId, clientId);
    if (!isOwn) throw new FlowError('FORBIDDEN', 'Another connection owns this awareness id.');
    const isGone = state === null || state === undefined;
    if (known && (clock < known.clock || (clock === known.clock && !isGone))) return;
    if (isGone) {
      if (known) this.#remove(awarenessId, clock);
      return this.#schedule();
    }
    if (!known && this.#countOf(connectionId) >= MAX_STATES_PER_CONNECTION) {
      throw new FlowError('TOO_LARGE', `A connection may have ${MAX_STATES_PER_CONNECTION} awareness states.`);
    }
    if (Buffer.byteLength(JSON.stringify(state)) > MAX_STATE_BYTES) {
      throw new FlowError('TOO_LARGE', `An awareness state may have ${MAX_STATE_BYTES} bytes.`);
    }
    this.#states.set(awarenessId, { awarenessId, connectionId, clientId, clock, state });
    this.#options.onMoved(awarenessId);
    this.changed(awarenessId, clock);
  }

  /** The connection is gone, and what it showed with it. */
  leave(connectionId: string): void {
    for (const [awarenessId, owned] of this.#states) {
      // Under the clock it is known by, so that whoever comes back with the next one is seen again.
      if (owned.connectionId === connectionId) this.#remove(awarenessId, owned.clock);
    }
    this.#schedule();
  }

  /** A state of some connection is another one, or gone; under which clock it was known. */
  changed(awarenessId: string, clock: number): void {
    this.#changed.set(awarenessId, clock);
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#states.clear();
    this.#changed.clear();
  }

  #remove(awarenessId: string, clock: number): void {
    this.#states.delete(awarenessId);
    this.#changed.set(awarenessId, clock);
    this.#options.onMoved(awarenessId);
  }

  /** A client that came here from another instance takes its states along. */
  #isFree(awarenessId: string, clientId: string): boolean {
    const elsewhere = this.#options.elsewhere.stateOf(awarenessId);
    return !elsewhere || elsewhere.clientId === clientId;
  }

  #countOf(connectionId: string): number {
    let count = 0;
    for (const owned of this.#states.values()) if (owned.connectionId === connectionId) count += 1;
    return count;
  }

  /** Until an instance hears that its connection was replaced by one of another instance, both show a state. */
  #newest(awarenessId: string): AwarenessState | undefined {
    const here = this.#states.get(awarenessId);
    const elsewhere = this.#options.elsewhere.stateOf(awarenessId);
    return here && (!elsewhere || here.clock >= elsewhere.clock) ? here : elsewhere;
  }

  #show(states: AwarenessStates, awarenessId: string): boolean {
    const newest = this.#newest(awarenessId);
    if (newest) states[awarenessId] = { clock: newest.clock, state: newest.state };
    return newest !== undefined;
  }

  /** The first change after quiet goes out at once, further ones with the next frame. */
  #schedule(): void {
    if (!this.#cancel && this.#changed.size > 0) this.#flush();
  }

  #flush(): void {
    const states: AwarenessStates = {};
    for (const [awarenessId, clock] of this.#changed) {
      if (!this.#show(states, awarenessId)) states[awarenessId] = { clock, state: null };
    }
    this.#changed = new Map();
    const { clock, intervalMs, bytesPerSecond, send } = this.#options;
    const text = JSON.stringify(states);
    send(new JsonText(text));
    const frameMs = (Buffer.byteLength(text) / bytesPerSecond) * 1_000;
    this.#cancel = clock.after(Math.max(intervalMs, frameMs), () => {
      this.#cancel = undefined;
      this.#schedule();
    });
  }
}
