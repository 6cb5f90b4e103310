import { ownerOfGuests } from '../access/open-access';
import type { InstanceBus } from '../instances/instance-bus';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { Clock } from '../lib/clock';
import { JsonText } from '../protocol/json-text';
import type { Announcements, AwarenessStates, Participant, Requests } from '../protocol/schemas';
import type { Participants } from '../sessions/participants';
import { Awareness } from './awareness';
import { AwarenessOwners } from './awareness-owners';
import { Members } from './members';
import type { Member } from './neighbour-messages';
import { Neighbours } from './neighbours';
import type { Standing } from './standing';

interface CompanyServices {
  readonly sockets: WebSocketManager;
  readonly bus: InstanceBus;
  readonly participants: Participants;
  readonly clock: Clock;
  readonly limits: { readonly awarenessIntervalMs: number; readonly awarenessBytesPerSecond: number };
}

interface CompanyListener {
  /** A member of this instance left, was replaced or was sent away. */
  onGone(connectionId: string): void;
  onStandingEnded(standing: Standing): void;
  onRecordChanged(): void;
}

/** Who is in one session and where they point (DL9): the members of this instance, and what is known of those of the others. */
export class Company {
  readonly #members: Members;
  readonly #awareness: Awareness;
  readonly #awarenessOwners = new AwarenessOwners();
  readonly #neighbours: Neighbours;
  #comings = 0;

  constructor(sessionId: string, services: CompanyServices, listener: CompanyListener) {
    const { sockets, bus, participants, clock, limits } = services;
    const paces = { intervalMs: limits.awarenessIntervalMs, bytesPerSecond: limits.awarenessBytesPerSecond };
    this.#members = new Members(sessionId, services, {
      elsewhere: { hasMember: (connectionId) => this.#neighbours.hasMember(connectionId) },
      onStandingEnded: (standing) => listener.onStandingEnded(standing),
      onChanged: (connectionId) => this.#neighbours.memberChanged(connectionId),
      onGone: (connectionId) => {
        this.#awareness.leave(connectionId);
        this.#awarenessOwners.leave(connectionId);
        listener.onGone(connectionId);
        this.#endIfEmpty();
      },
    });
    this.#awareness = new Awareness({
      clock,
      ...paces,
      send: ({ text }) => {
        const frame = `{"sessionId":${JSON.stringify(sessionId)},"states":${text}}`;
        sockets.toSessionHere(sessionId, 'awareness:update', new JsonText<Announcements['awareness:update']>(frame));
      },
      elsewhere: {
        states: () => this.#neighbours.states(),
        stateOf: (awarenessId) => this.#neighbours.stateOf(awarenessId),
      },
      onMoved: (awarenessId) => this.#neighbours.stateChanged(awarenessId),
    });
    this.#neighbours = new Neighbours({
      sessionId,
      bus,
      clock,
      ...paces,
      here: { members: this.#members.here, states: this.#awareness.here },
      // Older than anybody who joins from now on.
      believed: async () => (await participants.list(sessionId)).map((participant) => ({ participant, since: 0 })),
      listener: {
        came: (member) => this.#members.cameElsewhere(member),
        left: (member) => this.#members.leftElsewhere(member),
        pointed: (awarenessId, stateClock) => this.#awareness.changed(awarenessId, stateClock),
      },
      onRecordChanged: () => listener.onRecordChanged(),
    });
  }

  /** Of this instance. */
  get members(): Omit<Members, 'add'> {
    return this.#members;
  }

  /** While somebody is coming, what others tell is listened to. */
  async whileComing(come: () => Promise<void>): Promise<void> {
    this.#comings += 1;
    try {
      await come();
    } finally {
      this.#comings -= 1;
      this.#endIfEmpty();
    }
  }

  /** Nobody is here, and nobody is coming. */
  get isEmpty(): boolean {
    return this.#members.size === 0 && this.#comings === 0;
  }

  /** Resolves when it is known who is there on the other instances; to be called before `add`, while coming. */
  ready(): Promise<void> {
    return this.#neighbours.begin();
  }

  add(member: Member, standing: Standing): void {
    this.#members.add(member, standing);
  }

  /** On all instances, as far as is known here; what is heard later is told to the room. */
  everyone(): Participant[] {
    const everyone = new Map<string, Participant>();
    for (const { participant } of this.#neighbours.members()) everyone.set(participant.connectionId, participant);
    for (const { participant } of this.#members.here.values()) everyone.set(participant.connectionId, participant);
    return [...everyone.values()];
  }

  states(): AwarenessStates {
    return this.#awareness.states();
  }

  point(connectionId: string, request: Requests['awareness:update']): void {
    const member = this.#members.get(connectionId);
    // A guest comes back under another name.
    this.#awarenessOwners.claim({ connectionId, userId: ownerOfGuests(member.userId) }, request.awarenessId);
    this.#awareness.update(member, request);
  }

  /** Every third of a lease. `isShared`: there are participants of other instances. */
  round(isShared: boolean): void {
    for (const member of this.#neighbours.members()) this.#members.replacedBy(member);
    this.#neighbours.round(isShared);
  }

  stop(): void {
    this.#members.clear();
    this.#members.stop();
    this.#neighbours.stop();
    this.#awareness.stop();
  }

  #endIfEmpty(): void {
    if (this.isEmpty) this.#neighbours.end();
  }
}
