// The bare Socket.IO relay: an edit goes to everyone in its room, the sender included, as Flow's clients do.
// No order, no saving, no acknowledgement. Socket.IO encodes a broadcast once.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const httpServer = createServer();
const io = new Server(httpServer, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});

io.on('connection', (socket) => {
  socket.on('join', (room: string, done: () => void) => {
    void socket.join(room);
    done();
  });
  socket.on('edit', (room: string, edit: unknown) => io.to(room).emit('edit', edit));
});

httpServer.listen(Number(process.env['PORT']), '127.0.0.1', () => process.send?.('ready'));
