import type { Server, Socket } from 'socket.io';
import { webSocketOf } from '../lib/web-socket-of';
import type { JsonText } from '../protocol/json-text';
import type { AnnouncementName, Announcements } from '../protocol/schemas';
import type { ConnectionStats, WebSocketManager } from './websocket-manager';

const NO_MEMBERS: ReadonlySet<string> = new Set();

const sessionRoom = (sessionId: string): string => `session:${sessionId}`;
const userRoom = (userId: string): string => `user:${userId}`;

/** The connections of this process, in Socket.IO's own rooms. */
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
    payload: Readonly<Announcements[Name]> | JsonText<Announcements[Name]>,
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
    this.#io.local.in(userRoom(userId)).disconnectSockets(true);
  }

  disconnectHere(connectionId: string): void {
    const socket = this.#socket(connectionId);
    if (!socket) return;
    const webSocket = webSocketOf(socket.conn);
    socket.disconnect(true);
    // Engine.IO waits until everything is read, and who does not read would hold on to it all.
    webSocket?.terminate();
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

/** What Engine.IO queues while the transport writes, and what the WebSocket has not handed to the kernel yet. */
function backlogOf({ conn }: Socket): number {
  let bytes = webSocketOf(conn)?.bufferedAmount ?? 0;
  const queued: unknown = Reflect.get(conn, 'writeBuffer');
  if (Array.isArray(queued)) for (const packet of queued as readonly unknown[]) bytes += lengthOf(packet);
  return bytes;
}

function lengthOf(packet: unknown): number {
  if (typeof packet !== 'object' || packet === null) return 0;
  const content: unknown = Reflect.get(packet, 'data');
  return typeof content === 'string' || Buffer.isBuffer(content) ? content.length : 0;
}
