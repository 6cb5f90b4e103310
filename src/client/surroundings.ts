import type { Announcements, Participant, Replies, Role, SessionInfo } from '../protocol/schemas';
import type { Emitter } from './emitter';
import { Roster } from './roster';
import type { SessionEvents } from './session-events';

/** What the server tells of a session beside its history: what it is, what we may do there, and who else is there. */
export class Surroundings {
  readonly #emitter: Emitter<SessionEvents>;
  readonly #roster = new Roster();
  /** Who was there when we came in, and where they pointed. */
  #present: Pick<Replies['session:join'], 'participants' | 'awareness'> = { participants: [], awareness: {} };
  #info: SessionInfo | null = null;
  /** By a name that we learned of only when we came back. */
  #isRenamed = false;
  #role: Role | null = null;

  constructor(emitter: Emitter<SessionEvents>) {
    this.#emitter = emitter;
  }

  get info(): SessionInfo | null {
    return this.#info;
  }

  get role(): Role | null {
    return this.#role;
  }

  get isReadOnly(): boolean {
    return this.#role === 'viewer' || this.#role === 'commenter';
  }

  get participants(): readonly Participant[] {
    return this.#roster.list;
  }

  onJoined({ session, role }: Replies['session:join']): void {
    this.#takeInfo(session);
    this.onRole(role);
  }

  /** The last one tells what the session is and who is there; the join told as well, but of a time before its pages. */
  onPage({ session, participants, awareness }: Replies['operation:catch-up']): void {
    if (session) this.#takeInfo(session);
    if (participants && awareness) this.#present = { participants, awareness };
  }

  onLive(): void {
    const { participants, awareness } = this.#present;
    if (this.#isRenamed && this.#info) this.#emitter.emit('renamed', this.#info);
    this.#isRenamed = false;
    this.#roster.begin(participants);
    this.#emitter.emit('participants', this.participants);
    this.#emitter.emit('awareness', awareness);
  }

  onRole(role: Role): void {
    if (role === this.#role) return;
    this.#role = role;
    this.#emitter.emit('role', role);
  }

  onRenamed(title: string): void {
    if (!this.#info) return;
    this.#info = { ...this.#info, title };
    this.#emitter.emit('renamed', this.#info);
  }

  onParticipants(change: Announcements['session:participants']): void {
    this.#roster.change(change);
    this.#emitter.emit('participants', this.participants);
  }

  #takeInfo(info: SessionInfo): void {
    this.#isRenamed ||= this.#info !== null && this.#info.title !== info.title;
    this.#info = info;
  }
}
