import type { Following, InstanceBus } from '../instances/instance-bus';
import type { Clock } from '../lib/clock';
import { Neighbour, type NeighbourListener } from './neighbour';
import { type AwarenessState, type Member, messageText, readMessage } from './neighbour-messages';
import { type Here, Telling } from './telling';

/** Rounds, three to a lease, after which a neighbour that says nothing is gone. */
const SILENT_ROUNDS = 3;

interface NeighboursOptions {
  readonly sessionId: string;
  readonly bus: InstanceBus;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly bytesPerSecond: number;
  readonly here: Here;
  /** Members that were in the session before this instance hears of them, as far as can be known. */
  readonly believed: () => Promise<readonly Member[]>;
  readonly listener: NeighbourListener;
  readonly onRecordChanged: () => void;
}

/**
 * The other instances that have members in one session (DL9). Each tells the others who is with it and where they point; whoever has
 * missed something asks to be told anew, and notices it by the next change or, in silence, by the beat of every round.
 * An instance without neighbours tells nothing.
 */
export class Neighbours {
  readonly #options: NeighboursOptions;
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #following: Following;
  /** Members that nobody has told of yet; they are a neighbour that stays silent. */
  #believed: Neighbour;
  /** From the first member here to the last. */
  #telling: Telling | undefined;
  #begun: Promise<void> = Promise.resolve();

  constructor(options: NeighboursOptions) {
    this.#options = options;
    this.#believed = new Neighbour(this.#listener, null);
    this.#following = options.bus.follow(options.sessionId, (text) => this.#hear(text));
    void this.#following.begun.then(options.onRecordChanged);
  }

  /** Of all other instances. */
  *members(): Iterable<Member> {
    yield* this.#believed.members.values();
    for (const { members } of this.#neighbours.values()) yield* members.values();
  }

  *states(): Iterable<AwarenessState> {
    for (const { states } of this.#neighbours.values()) yield* states.values();
  }

  stateOf(awarenessId: string): AwarenessState | undefined {
    let newest: AwarenessState | undefined;
    for (const { states } of this.#neighbours.values()) {
      const state = states.get(awarenessId);
      if (state && (!newest || state.clock > newest.clock)) newest = state;
    }
    return newest;
  }

  hasMember(connectionId: string): boolean {
    return (
      this.#believed.members.has(connectionId) ||
      [...this.#neighbours.values()].some(({ members }) => members.has(connectionId))
    );
  }

  memberChanged(connectionId: string): void {
    if (this.#neighbours.size > 0) this.#telling?.memberChanged(connectionId);
  }

  stateChanged(awarenessId: string): void {
    if (this.#neighbours.size > 0) this.#telling?.stateChanged(awarenessId);
  }

  /** There will be members here; resolves when those who were there before are known. Again and again is once. */
  begin(): Promise<void> {
    if (!this.#telling) {
      const { here, clock, intervalMs, bytesPerSecond } = this.#options;
      const telling = new Telling({ here, clock, intervalMs, bytesPerSecond, tell: (text) => this.#tell(text) });
      this.#telling = telling;
      void this.#following.begun.then(() => {
        if (this.#telling === telling) this.#tell(messageText({ kind: 'begin', from: telling.from }));
      });
      this.#begun = this.#believe(telling);
    }
    return this.#begun;
  }

  /** There are no members here any more; nobody here needs to know who else is where. */
  end(): void {
    const telling = this.#telling;
    if (!telling) return;
    this.#telling = undefined;
    telling.stop();
    if (this.#neighbours.size > 0) this.#tell(messageText({ kind: 'end', from: telling.from }));
    for (const from of [...this.#neighbours.keys()]) this.#drop(from);
    this.#believed.drop();
  }

  stop(): void {
    this.end();
    this.#following.end();
  }

  /** Every third of a lease. `isShared`: there are members elsewhere, whoever they belong to. */
  round(isShared: boolean): void {
    this.#believed.silentRounds += 1;
    if (this.#believed.silentRounds >= SILENT_ROUNDS) this.#believed.drop();
    for (const [from, neighbour] of this.#neighbours) {
      neighbour.isAsked = false;
      neighbour.silentRounds += 1;
      if (neighbour.silentRounds >= SILENT_ROUNDS) this.#drop(from);
    }
    const telling = this.#telling;
    if (!telling || (!isShared && this.#neighbours.size === 0)) return;
    this.#tell(messageText({ kind: 'beat', from: telling.from, number: telling.number }));
  }

  async #believe(telling: Telling): Promise<void> {
    try {
      const members = await this.#options.believed();
      if (this.#telling !== telling) return;
      this.#believed = new Neighbour(this.#listener, null);
      for (const member of members) if (!this.hasMember(member.participant.connectionId)) this.#believed.came(member);
    } catch (fault) {
      // Whoever comes next asks again.
      if (this.#telling === telling) this.end();
      throw fault;
    }
  }

  #tell(text: string): void {
    this.#options.bus.tell(this.#options.sessionId, text);
  }

  #hear(text: string): void {
    const said = readMessage(text);
    if (said?.kind === 'record') return this.#options.onRecordChanged();
    const telling = this.#telling;
    if (!said || !telling) return;
    switch (said.kind) {
      case 'begin':
        if (this.#neighbours.has(said.from)) telling.anew();
        else this.#meet(said.from, 0);
        return;
      case 'ask':
        if (said.of === telling.from) telling.anew();
        return;
      case 'end':
        return this.#drop(said.from);
      case 'beat': {
        const neighbour = this.#meet(said.from, null);
        if (!neighbour.isKnownUpTo(said.number)) this.#ask(said.from, neighbour);
        return;
      }
      case 'change': {
        const neighbour = this.#meet(said.from, null);
        if (!neighbour.hear(said)) return this.#ask(said.from, neighbour);
        for (const { participant } of said.members) this.#believed.members.delete(participant.connectionId);
        for (const connectionId of said.left) this.#believed.left(connectionId);
      }
    }
  }

  /** Who is new to this instance does not know what was told here before. */
  #meet(from: string, number: number | null): Neighbour {
    let neighbour = this.#neighbours.get(from);
    if (!neighbour) {
      neighbour = new Neighbour(this.#listener, number);
      this.#neighbours.set(from, neighbour);
      this.#telling?.anew();
    }
    neighbour.silentRounds = 0;
    return neighbour;
  }

  #ask(from: string, neighbour: Neighbour): void {
    if (neighbour.isAsked) return;
    neighbour.isAsked = true;
    this.#tell(messageText({ kind: 'ask', of: from }));
  }

  #drop(from: string): void {
    const neighbour = this.#neighbours.get(from);
    this.#neighbours.delete(from);
    neighbour?.drop();
  }

  get #listener(): NeighbourListener {
    return this.#options.listener;
  }
}
