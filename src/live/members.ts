import type { WebSocketManager } from '../connections/websocket-manager';
import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { Participant } from '../protocol/schemas';
import { Roster } from './roster';

/** The connections of this instance that have joined a session: one per client (a newer one replaces the older). */
export class Members {
  readonly #sessionId: string;
  readonly #sockets: WebSocketManager;
  readonly #onGone: (member: Participant) => void;
  readonly #roster: Roster;
  readonly #members = new Map<string, Participant>();
  /** clientId → connectionId. */
  readonly #connectionOf = new Map<string, string>();
  /** Connections whose client speaks through a newer one. */
  readonly #replaced = new Set<string>();

  /** `onGone` runs when a member leaves, is replaced or is sent away. */
  constructor(
    sessionId: string,
    services: { sockets: WebSocketManager; clock: Clock },
    onGone: (member: Participant) => void,
  ) {
    this.#sessionId = sessionId;
    this.#sockets = services.sockets;
    this.#onGone = onGone;
    this.#roster = new Roster(services.clock, (change) =>
      this.#sockets.toSession(sessionId, 'session:participants', { sessionId, ...change }),
    );
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
    if (member) return member;
    throw new FlowError(this.#replaced.has(connectionId) ? 'CLIENT_REPLACED' : 'NOT_JOINED');
  }

  add(member: Participant): void {
    const { connectionId, clientId } = member;
    const older = this.#connectionOf.get(clientId);
    if (older !== undefined && older !== connectionId) {
      this.#sockets.toConnectionHere(older, 'session:closed', { sessionId: this.#sessionId, reason: 'replaced' });
      this.#drop(older);
      this.#replaced.add(older);
    }
    this.#replaced.delete(connectionId);
    // The same connection may come back as another client.
    if (this.#members.get(connectionId)?.clientId !== clientId) this.#drop(connectionId);
    this.#members.set(connectionId, member);
    this.#connectionOf.set(clientId, connectionId);
    this.#roster.joined(member);
  }

  remove(connectionId: string): void {
    this.#replaced.delete(connectionId);
    this.#drop(connectionId);
  }

  /** A participant of another instance whose lease ended. */
  lost(participant: Participant): void {
    this.#roster.left(participant);
  }

  /** Sends everyone away without a word. */
  clear(): void {
    for (const connectionId of this.connectionIds()) this.#drop(connectionId);
  }

  stop(): void {
    this.#roster.stop();
  }

  #drop(connectionId: string): void {
    this.#sockets.leave(connectionId, this.#sessionId);
    const member = this.#members.get(connectionId);
    if (!member) return;
    this.#members.delete(connectionId);
    if (this.#connectionOf.get(member.clientId) === connectionId) this.#connectionOf.delete(member.clientId);
    this.#roster.left(member);
    this.#onGone(member);
  }
}
