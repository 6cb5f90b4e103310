import type { JsonText } from '../protocol/json-text';
import type { AnnouncementName, Announcements } from '../protocol/schemas';

export interface ConnectionStats {
  /** Connections of this instance. */
  readonly local: number;
  /** Connections of all instances that share a backend. */
  readonly cluster: number;
  /** Different users connected to this instance. */
  readonly users: number;
}

/** Live connections, and how the server speaks to them of its own accord. */
export interface WebSocketManager {
  /** Makes a local connection known as its user's. */
  register(connectionId: string, userId: string): void;

  /** Puts a local connection into the room of a session, at once: no broadcast of a later turn passes it by. */
  enter(connectionId: string, sessionId: string): void;

  leave(connectionId: string, sessionId: string): void;

  /** Local connections in the room of a session. */
  membersHere(sessionId: string): ReadonlySet<string>;

  /** To the connections of a session on this instance, encoded once, in this turn. Answers how many. */
  toSessionHere<Name extends AnnouncementName>(
    sessionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]> | JsonText<Announcements[Name]>,
  ): number;

  /** To the connections of a session on every instance. */
  toSession<Name extends AnnouncementName>(sessionId: string, name: Name, payload: Readonly<Announcements[Name]>): void;

  /** To every connection of a user on every instance. */
  toUser<Name extends AnnouncementName>(userId: string, name: Name, payload: Readonly<Announcements[Name]>): void;

  toConnectionHere<Name extends AnnouncementName>(
    connectionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): void;

  /** Ends every connection of a user on every instance. */
  disconnectUser(userId: string): void;

  /** Cuts off one connection of this instance at once; what it has not read is thrown away. */
  disconnectHere(connectionId: string): void;

  /** Bytes that wait in this process to be read by a local connection (DL6). */
  backlogBytes(connectionId: string): number;

  stats(): Promise<ConnectionStats>;
}
