import type { Server, Socket } from 'socket.io';
import type { AnnouncementName, Announcements } from '../protocol/schemas';
import type { ConnectionStats, WebSocketManager } from './websocket-manager';

const NO_MEMBERS: ReadonlySet<string> = new Set();

const sessionRoom = (sessionId: string): string => `session:${sessionId}`;
const userRoom = (userId: string): string => `user:${userId}`;

/** The connections of this process, in Socket.IO's own rooms; there are no others. */
export class MemoryWebSocketManager implements WebSocketManager {
  readonly #io: Server;

  constructor({ io }: { io: Server }) {
    this.#io = io;
  }

  register(connectionId: string, userId: string): void {
    void this.#socket(connectionId)?.join(userRoom(userId));
  }

  enter(connectionId: string, sessionId: string): void {
    void this.#socket(connectionId)?.join(sessionRoom(sessionId));
  }

  leave(connectionId: string, sessionId: string): void {
    void this.#socket(connectionId)?.leave(sessionRoom(sessionId));
  }

  membersHere(sessionId: string): ReadonlySet<string> {
    return this.#io.sockets.adapter.rooms.get(sessionRoom(sessionId)) ?? NO_MEMBERS;
  }

  toSessionHere<Name extends AnnouncementName>(
    sessionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): number {
    const room = sessionRoom(sessionId);
    const receivers = this.#io.sockets.adapter.rooms.get(room)?.size ?? 0;
    if (receivers > 0) this.#io.local.to(room).emit(name, payload);
    return receivers;
  }

  toSession<Name extends AnnouncementName>(
    sessionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): void {
    this.#io.to(sessionRoom(sessionId)).emit(name, payload);
  }

  toUser<Name extends AnnouncementName>(userId: string, name: Name, payload: Readonly<Announcements[Name]>): void {
    this.#io.to(userRoom(userId)).emit(name, payload);
  }

  toConnectionHere<Name extends AnnouncementName>(
    connectionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): void {
    this.#socket(connectionId)?.emit(name, payload);
  }

  disconnectUser(userId: string): void {
    this.#io.in(userRoom(userId)).disconnectSockets(true);
  }

  disconnectHere(connectionId: string): void {
    this.#socket(connectionId)?.disconnect(true);
  }

  backlogBytes(connectionId: string): number {
    const socket = this.#socket(connectionId);
    return socket ? backlogOf(socket) : 0;
  }

  async stats(): Promise<ConnectionStats> {
    const local = this.#io.sockets.sockets.size;
    let users = 0;
    for (const room of this.#io.sockets.adapter.rooms.keys()) if (room.startsWith(userRoom(''))) users += 1;
    return { local, cluster: local, users };
  }

  #socket(connectionId: string): Socket | undefined {
    return this.#io.sockets.sockets.get(connectionId);
  }
}

/**
 * What Engine.IO queues while the transport writes, and what the WebSocket has not handed to the kernel yet. Neither is in
 * Engine.IO's types; where a later version renames them a slow consumer would go unnoticed, and its test fails.
 */
function backlogOf({ conn }: Socket): number {
  const queued: unknown = Reflect.get(conn, 'writeBuffer');
  const webSocket: unknown = Reflect.get(conn.transport, 'socket');
  let bytes = numberIn(webSocket, 'bufferedAmount');
  if (Array.isArray(queued)) {
    for (const packet of queued as readonly unknown[]) {
      const text: unknown = isObject(packet) ? Reflect.get(packet, 'data') : undefined;
      bytes += typeof text === 'string' ? text.length : numberIn(text, 'length');
    }
  }
  return bytes;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function numberIn(owner: unknown, name: string): number {
  const value: unknown = isObject(owner) ? Reflect.get(owner, name) : undefined;
  return typeof value === 'number' ? value : 0;
}
