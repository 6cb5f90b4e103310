import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Server } from 'socket.io';
import type { WebSocketManager } from '../../src/connections/websocket-manager';
import { createSocketServer } from '../../src/socket/socket-server';
import { eventually } from './eventually';
import { RawSocket } from './raw-socket';
import { WireClient } from './wire-client';

/** Socket.IO as the server has it, with a manager and nothing else. */
export class SocketInstance<Manager extends WebSocketManager> {
  readonly io: Server;
  readonly manager: Manager;
  readonly #url: string;
  readonly #clients: Array<{ close(): void }> = [];

  /** `makeManager` may start it too. */
  static async start<Manager extends WebSocketManager>(
    makeManager: (io: Server) => Manager | Promise<Manager>,
  ): Promise<SocketInstance<Manager>> {
    const httpServer = createServer();
    httpServer.listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    const io = createSocketServer({
      httpServer,
      path: '/socket.io',
      maxBatchBytes: 1_000_000,
      handshakeMs: 10_000,
      originRules: { allowedOrigins: [], isOpen: true },
      isDoorOpen: () => true,
      phase: () => 'ready',
    });
    const { port } = httpServer.address() as AddressInfo;
    return new SocketInstance(io, await makeManager(io), `http://127.0.0.1:${port}`);
  }

  private constructor(io: Server, manager: Manager, url: string) {
    this.io = io;
    this.manager = manager;
    this.#url = url;
    io.on('connection', (socket) => {
      manager.register(socket.id, String(socket.handshake.auth['token']));
      socket.on('test:fence', (_body: unknown, acknowledge: (answer: object) => void) => acknowledge({}));
    });
  }

  async connect(userId: string): Promise<WireClient> {
    const client = await WireClient.connect(this.#url, { user: userId });
    this.#clients.push(client);
    return client;
  }

  async connectRaw(userId: string): Promise<{ socket: RawSocket; connectionId: string }> {
    const raw = await RawSocket.connect(this.#url, { token: userId });
    this.#clients.push(raw.socket);
    await eventually('the server knows it', () => this.io.sockets.sockets.has(raw.connectionId));
    return raw;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.io.close();
  }
}
