// The bare relay: whoever connects to /room gets what anybody sends there, the sender included, as Flow's clients do.
// No order, no saving, no acknowledgement. A message is passed on as the bytes it came in.
import { WebSocket, WebSocketServer } from 'ws';

const rooms = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env['PORT']), perMessageDeflate: false });

server.on('connection', (socket, request) => {
  const name = request.url ?? '';
  const room = rooms.get(name) ?? new Set<WebSocket>();
  rooms.set(name, room.add(socket));
  socket.on('message', (message, isBinary) => {
    for (const peer of room) if (peer.readyState === WebSocket.OPEN) peer.send(message, { binary: isBinary });
  });
  socket.on('close', () => room.delete(socket));
});

server.on('listening', () => process.send?.('ready'));
