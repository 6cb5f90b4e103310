import type { WebSocketManager } from '../connections/websocket-manager';
import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { Participant, Role } from '../protocol/schemas';
import type { Member } from './neighbour-messages';
import { Roster } from './roster';
import type { Standing } from './standing';

interface MembersOptions {
  /** A member came, or went: left, was replaced or sent away. */
  readonly onChanged: (connectionId: string) => void;
  readonly onGone: (connectionId: string) => void;
  /** The connection is no longer a member by it. */
  readonly onStandingEnded: (standing: Standing) => void;
  /** Of other instances. */
  readonly elsewhere: { hasMember(connectionId: string): boolean };
}

/** The connections of this instance that have joined a session: one per client (a newer one replaces the older). */
export class Members {
  readonly #sessionId: string;
  readonly #sockets: WebSocketManager;
  readonly #options: MembersOptions;
  readonly #roster: Roster;
  readonly #members = new Map<string, Member>();
  /** By connectionId, of the same. */
  readonly #standings = new Map<string, Standing>();
  /** clientId → connectionId. */
  readonly #connectionOf = new Map<string, string>();
  /** Connections whose client speaks through a newer one. */
  readonly #replaced = new Set<string>();

  constructor(sessionId: string, services: { sockets: WebSocketManager; clock: Clock }, options: MembersOptions) {
    this.#sessionId = sessionId;
    this.#sockets = services.sockets;
    this.#options = options;
    this.#roster = new Roster(services.clock, (change) =>
      this.#sockets.toSessionHere(sessionId, 'session:participants', { sessionId, ...change }),
    );
  }

  get here(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  get size(): number {
    return this.#members.size;
  }

  connectionIds(): string[] {
    return [...this.#members.keys()];
  }

  has(connectionId: string): boolean {
    return this.#members.has(connectionId);
  }

  /** The member, or NOT_JOINED, or CLIENT_REPLACED. */
  get(connectionId: string): Participant {
    const member = this.#members.get(connectionId);
    if (member) return member.participant;
    throw this.#absent(connectionId);
  }

  standingOf(connectionId: string): Standing {
    const standing = this.#standings.get(connectionId);
    if (standing) return standing;
    throw this.#absent(connectionId);
  }

  hasStanding(connectionId: string, standing: Standing): boolean {
    return this.#standings.get(connectionId) === standing;
  }

  add(member: Member, standing: Standing): void {
    const { connectionId, clientId } = member.participant;
    const older = this.#connectionOf.get(clientId);
    if (older !== undefined && older !== connectionId) this.#replace(older);
    this.#replaced.delete(connectionId);
    // The same connection may come back as another client.
    if (this.#members.get(connectionId)?.participant.clientId !== clientId) this.#drop(connectionId);
    this.#endStanding(connectionId);
    this.#members.set(connectionId, member);
    this.#standings.set(connectionId, standing);
    this.#connectionOf.set(clientId, connectionId);
    this.#roster.joined(member.participant);
    this.#options.onChanged(connectionId);
  }

  /** Everybody here, and on other instances, hears of it. */
  setRole(connectionId: string, role: Role): Participant {
    const member = this.#members.get(connectionId);
    if (!member) throw this.#absent(connectionId);
    const participant = { ...member.participant, role };
    this.#members.set(connectionId, { ...member, participant });
    this.#roster.joined(participant);
    this.#options.onChanged(connectionId);
    return participant;
  }

  /** Sends a member away, and says why. */
  sendAway(connectionId: string, reason: 'forbidden' | 'moved'): void {
    if (!this.#members.has(connectionId)) return;
    this.#sockets.toConnectionHere(connectionId, 'session:closed', { sessionId: this.#sessionId, reason });
    this.#drop(connectionId);
  }

  remove(connectionId: string): void {
    this.#replaced.delete(connectionId);
    this.#drop(connectionId);
  }

  /** A member of another instance. */
  cameElsewhere(member: Member): void {
    this.replacedBy(member);
    this.#roster.joined(member.participant);
  }

  leftElsewhere({ participant }: Member): void {
    const { connectionId } = participant;
    if (!this.#members.has(connectionId) && !this.#options.elsewhere.hasMember(connectionId))
      this.#roster.left(participant);
  }

  /** A member of another instance may be the newer connection of a client that is here, too. */
  replacedBy(other: Member): void {
    const own = this.#members.get(this.#connectionOf.get(other.participant.clientId) ?? '');
    if (own && isNewer(other, own)) this.#replace(own.participant.connectionId);
  }

  /** Sends everyone away without a word. */
  clear(): void {
    for (const connectionId of this.connectionIds()) this.#drop(connectionId);
  }

  stop(): void {
    this.#roster.stop();
  }

  #absent(connectionId: string): FlowError {
    return new FlowError(this.#replaced.has(connectionId) ? 'CLIENT_REPLACED' : 'NOT_JOINED');
  }

  #endStanding(connectionId: string): void {
    const standing = this.#standings.get(connectionId);
    this.#standings.delete(connectionId);
    if (standing) this.#options.onStandingEnded(standing);
  }

  #replace(connectionId: string): void {
    const sessionId = this.#sessionId;
    this.#sockets.toConnectionHere(connectionId, 'session:closed', { sessionId, reason: 'replaced' });
    this.#drop(connectionId);
    this.#replaced.add(connectionId);
  }

  #drop(connectionId: string): void {
    this.#sockets.leave(connectionId, this.#sessionId);
    const member = this.#members.get(connectionId);
    if (!member) return;
    this.#members.delete(connectionId);
    this.#endStanding(connectionId);
    const { participant } = member;
    if (this.#connectionOf.get(participant.clientId) === connectionId) this.#connectionOf.delete(participant.clientId);
    this.#roster.left(participant);
    this.#options.onGone(connectionId);
    this.#options.onChanged(connectionId);
  }
}

const isNewer = (one: Member, other: Member): boolean =>
  one.since > other.since ||
  (one.since === other.since && one.participant.connectionId > other.participant.connectionId);
