import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { MemoryWebSocketManager } from '../../src/connections/memory-websocket-manager';
import { createSocketServer } from '../../src/socket/socket-server';
import { eventually } from '../support/eventually';
import { RawSocket } from '../support/raw-socket';
import { WireClient } from '../support/wire-client';
import { webSocketManagerContract, type ConnectedInstance } from './websocket-manager.contract';

webSocketManagerContract('memory', async () => {
  const httpServer = createServer();
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
  const io = createSocketServer({
    httpServer,
    path: '/socket.io',
    maxBatchBytes: 1_000_000,
    allowedOrigins: [],
    isDraining: () => false,
  });
  const manager = new MemoryWebSocketManager({ io });
  const clients: Array<{ close(): void }> = [];
  io.on('connection', (socket) => {
    manager.register(socket.id, String(socket.handshake.auth['token']));
    socket.on('test:fence', (_body: unknown, acknowledge: (answer: object) => void) => acknowledge({}));
  });

  const instance: ConnectedInstance = {
    manager,
    async connect(userId) {
      const client = await WireClient.connect(url, { user: userId });
      clients.push(client);
      return client;
    },
    async connectRaw(userId) {
      const raw = await RawSocket.connect(url, { token: userId });
      clients.push(raw.socket);
      await eventually('the server knows it', () => io.sockets.sockets.has(raw.connectionId));
      return raw;
    },
  };
  return {
    one: instance,
    other: instance,
    async stop() {
      for (const client of clients) client.close();
      await io.close();
    },
  };
});
