// The bare Socket.IO relay on several instances: the same as socketio-relay.ts, with the Redis adapter between them.
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const httpServer = createServer();
const url = process.env['REDIS_URL'] ?? '';
const io = new Server(httpServer, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  adapter: createAdapter(new Redis(url), new Redis(url)),
});

io.on('connection', (socket) => {
  socket.on('join', (room: string, done: () => void) => {
    void socket.join(room);
    done();
  });
  socket.on('edit', (room: string, edit: unknown) => io.to(room).emit('edit', edit));
});

httpServer.listen(Number(process.env['PORT']), '127.0.0.1', () => process.send?.('ready'));
