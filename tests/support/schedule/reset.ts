import type { Socket } from 'node:net';

/**
 * Ends a connection as a crash does. One that has said its goodbye already cannot be reset: the system refuses that, and Node would
 * wait for the socket when the process ends, for ever.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
