import type { Server } from 'socket.io';
import type { InstanceRegistry } from '../instances/instance-registry';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { JsonText } from '../protocol/json-text';
import type { AnnouncementName, Announcements } from '../protocol/schemas';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import { RedisGuardedAdapter } from './redis-guarded-adapter';
import type { ConnectionStats, WebSocketManager } from './websocket-manager';

/** Between instances: a user's connections are to end. */
const DISCONNECT_USER = 'flow:disconnect-user';

interface RedisWebSocketManagerOptions {
  /** The connections of this instance. */
  readonly here: WebSocketManager;
  readonly io: Server;
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly instances: Pick<InstanceRegistry, 'others'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The connections of all instances: those of this one directly, the others through Redis. Without Redis those of this one are served all
 * the same, and what the others should have heard is lost.
 */
export class RedisWebSocketManager implements WebSocketManager {
  readonly #here: WebSocketManager;
  readonly #io: Server;
  readonly #instances: Pick<InstanceRegistry, 'others'>;
  readonly #log: Logger;
  readonly #adapter: RedisGuardedAdapter;

  constructor({ here, io, redis, keys, instances, clock, log }: RedisWebSocketManagerOptions) {
    this.#here = here;
    this.#io = io;
    this.#instances = instances;
    this.#log = log;
    this.#adapter = new RedisGuardedAdapter({ redis, key: keys.webSockets(), clock, log });
  }

  /** Once Redis is connected, and before clients are let in; those who came earlier have to come again. */
  async start(): Promise<void> {
    this.#io.local.disconnectSockets(true);
    this.#io.on(DISCONNECT_USER, (userId: unknown) => {
      if (typeof userId === 'string') this.#here.disconnectUser(userId);
    });
    await this.#adapter.install(this.#io);
    this.#log.info('[SocketAdapter] Redis adapter configured for Socket.IO');
  }

  /** When the Socket.IO server is closed, and before Redis is. */
  stop(): void {
    this.#adapter.close();
  }

  register(connectionId: string, userId: string): void {
    this.#here.register(connectionId, userId);
  }

  enter(connectionId: string, sessionId: string): void {
    this.#here.enter(connectionId, sessionId);
  }

  leave(connectionId: string, sessionId: string): void {
    this.#here.leave(connectionId, sessionId);
  }

  membersHere(sessionId: string): ReadonlySet<string> {
    return this.#here.membersHere(sessionId);
  }

  toSessionHere<Name extends AnnouncementName>(
    sessionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]> | JsonText<Announcements[Name]>,
  ): number {
    return this.#here.toSessionHere(sessionId, name, payload);
  }

  /** Socket.IO's rooms are on all instances now. */
  toSession<Name extends AnnouncementName>(
    sessionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): void {
    this.#here.toSession(sessionId, name, payload);
  }

  toUser<Name extends AnnouncementName>(userId: string, name: Name, payload: Readonly<Announcements[Name]>): void {
    this.#here.toUser(userId, name, payload);
  }

  toConnectionHere<Name extends AnnouncementName>(
    connectionId: string,
    name: Name,
    payload: Readonly<Announcements[Name]>,
  ): void {
    this.#here.toConnectionHere(connectionId, name, payload);
  }

  /** The adapter's own way would have this instance hear of it too, by when the user may have come back. */
  disconnectUser(userId: string): void {
    this.#here.disconnectUser(userId);
    this.#io.serverSideEmit(DISCONNECT_USER, userId);
  }

  disconnectHere(connectionId: string): void {
    this.#here.disconnectHere(connectionId);
  }

  backlogBytes(connectionId: string): number {
    return this.#here.backlogBytes(connectionId);
  }

  async stats(): Promise<ConnectionStats> {
    const here = await this.#here.stats();
    let cluster = here.local;
    try {
      for (const { connections } of await this.#instances.others()) cluster += connections;
    } catch {
      // Nobody else can be counted, as nobody else can be reached; the registry says why.
    }
    return { ...here, cluster };
  }
}
