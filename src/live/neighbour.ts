import type { AwarenessState, Change, Member } from './neighbour-messages';

/** Hears what one neighbour says of its members and their states. */
export interface NeighbourListener {
  came(member: Member): void;
  left(member: Member): void;
  /** The state under this id is another one, or gone; under which clock it was known. */
  pointed(awarenessId: string, clock: number): void;
}

/** What one other instance has told of a session. What it missed it gets anew, and then what is not told again is gone. */
export class Neighbour {
  readonly members = new Map<string, Member>();
  readonly states = new Map<string, AwarenessState>();
  /** Rounds in which nothing came. */
  silentRounds = 0;
  /** It was asked to tell everything anew, in this round. */
  isAsked = false;
  /** Of the last message that was heard without missing one before; null: it is not known what was missed. */
  #number: number | null;
  /** What was known before everything is told anew, and has not been told again. */
  readonly #doubtfulMembers = new Set<string>();
  readonly #doubtfulStates = new Set<string>();
  readonly #listener: NeighbourListener;

  constructor(listener: NeighbourListener, number: number | null) {
    this.#listener = listener;
    this.#number = number;
  }

  /** Everything it has told up to this number is known here. */
  isKnownUpTo(number: number): boolean {
    return this.#number !== null && this.#number >= number;
  }

  /** False: something before it is missing. Late and doubled ones are passed over. */
  hear(change: Change): boolean {
    if (this.isKnownUpTo(change.number)) return true;
    if (this.#number !== change.number - 1) {
      if (!change.isAnew) return false;
      for (const connectionId of this.members.keys()) this.#doubtfulMembers.add(connectionId);
      for (const awarenessId of this.states.keys()) this.#doubtfulStates.add(awarenessId);
    }
    this.#number = change.number;
    this.isAsked = false;
    for (const member of change.members) this.came(member);
    for (const connectionId of change.left) this.left(connectionId);
    for (const state of change.states) this.#pointed(state);
    for (const awarenessId of change.gone) this.#gone(awarenessId);
    if (change.isWhole) {
      for (const connectionId of this.#doubtfulMembers) this.left(connectionId);
      for (const awarenessId of this.#doubtfulStates) this.#gone(awarenessId);
    }
    return true;
  }

  /** It is gone, and everything with it. */
  drop(): void {
    for (const connectionId of [...this.members.keys()]) this.left(connectionId);
    for (const awarenessId of [...this.states.keys()]) this.#gone(awarenessId);
  }

  came(member: Member): void {
    const { connectionId, clientId, role } = member.participant;
    this.#doubtfulMembers.delete(connectionId);
    const known = this.members.get(connectionId);
    this.members.set(connectionId, member);
    const isSame = known?.since === member.since && known.participant.clientId === clientId;
    if (!isSame || known?.participant.role !== role) this.#listener.came(member);
  }

  left(connectionId: string): void {
    this.#doubtfulMembers.delete(connectionId);
    const member = this.members.get(connectionId);
    if (!member) return;
    this.members.delete(connectionId);
    this.#listener.left(member);
  }

  #pointed(state: AwarenessState): void {
    const { awarenessId, clock } = state;
    this.#doubtfulStates.delete(awarenessId);
    const known = this.states.get(awarenessId);
    this.states.set(awarenessId, state);
    if (known?.clock !== clock) this.#listener.pointed(awarenessId, clock);
  }

  #gone(awarenessId: string): void {
    this.#doubtfulStates.delete(awarenessId);
    const known = this.states.get(awarenessId);
    if (!known) return;
    this.states.delete(awarenessId);
    this.#listener.pointed(awarenessId, known.clock);
  }
}
