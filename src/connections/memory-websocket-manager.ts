import type { Server, Socket } from 'socket.io';
import { sendFrame, textFrame, webSocketOf } from '../lib/web-socket-of';
import { JsonText } from '../protocol/json-text';
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
    const members = this.membersHere(sessionId);
    if (members.size === 0) return 0;
    if (payload instanceof JsonText) this.#sendText(members, `2[${JSON.stringify(name)},${payload.text}]`);
    else this.#io.local.to(sessionRoom(sessionId)).emit(name, payload);
    return members.size;
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

  /**
   * One frame for all, and no detour through what Engine.IO does for every packet of every connection: that costs more than handing
   * it to the kernel. Where packets wait in Engine.IO, this one waits behind them.
   */
  #sendText(members: ReadonlySet<string>, packet: string): void {
    const frame = textFrame(`${ENGINE_MESSAGE}${packet}`);
    for (const connectionId of members) {
      const conn = this.#socket(connectionId)?.conn;
      const webSocket = conn && webSocketOf(conn);
      if (!webSocket || waitingPackets(conn).length > 0) conn?.write(packet);
      else sendFrame(webSocket, frame);
    }
  }

  #socket(connectionId: string): Socket | undefined {
    return this.#io.sockets.sockets.get(connectionId);
  }
}

/** Engine.IO's mark of a packet that is the application's. */
const ENGINE_MESSAGE = '4';

/** What Engine.IO queues while the transport writes, and what the WebSocket has not handed to the kernel yet. */
function backlogOf({ conn }: Socket): number {
  let bytes = webSocketOf(conn)?.bufferedAmount ?? 0;
  for (const packet of waitingPackets(conn)) bytes += lengthOf(packet);
  return bytes;
}

/** It isn't in Engine.IO's types. */
function waitingPackets(conn: object): readonly unknown[] {
  return 'writeBuffer' in conn && Array.isArray(conn.writeBuffer) ? conn.writeBuffer : [];
}

function lengthOf(packet: unknown): number {
  if (typeof packet !== 'object' || packet === null) return 0;
  const content: unknown = Reflect.get(packet, 'data');
  return typeof content === 'string' || Buffer.isBuffer(content) ? content.length : 0;
}
