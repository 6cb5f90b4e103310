import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import { isNameAllowed, isOriginAllowed, NAME_REFUSED, type OriginRules } from '../lib/origin';
import { secureHeaders } from '../lib/secure-headers';

/**
 * A connection that answers no ping for so long is dead. The answer waits behind what the client is sending: one operation at its
 * limit, 1 MiB, takes 35 seconds on a slow line (30 kB/s), and a shorter time-out would cut it off again and again.
 */
const PING = { intervalMs: 15_000, timeoutMs: 45_000 };
/** Room for a batch at its limit plus everything around it; what is moderately too large still gets its TOO_LARGE. */
const FRAME_ALLOWANCE = 2;

/**
 * Socket.IO as this server uses it: WebSocket only (no sticky routing), no compression (frames are small and many), no
 * state recovery (ordering does it better), and the origin checked at the upgrade, which CORS does not cover.
 */
export function createSocketServer(options: {
  httpServer: HttpServer;
  path: string;
  maxBatchBytes: number;
  /** Who has not said by then who they are is no client. */
  handshakeMs: number;
  originRules: OriginRules;
  /** Whether another connection from where the request comes is let in at all. */
  isDoorOpen: (request: IncomingMessage) => boolean;
  phase: () => 'starting' | 'ready' | 'draining';
}): Server {
  const { httpServer, path, maxBatchBytes, handshakeMs, originRules, isDoorOpen, phase } = options;
  const io = new Server(httpServer, {
    path,
    transports: ['websocket'],
    allowUpgrades: false,
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    cleanupEmptyChildNamespaces: true,
    connectTimeout: handshakeMs,
    pingInterval: PING.intervalMs,
    pingTimeout: PING.timeoutMs,
    maxHttpBufferSize: maxBatchBytes * FRAME_ALLOWANCE,
    allowRequest: (request, decide) => {
      const { origin, host } = request.headers;
      if (phase() !== 'ready') decide(phase(), false);
      else if (!isOriginAllowed(origin, host, originRules)) decide('origin not allowed', false);
      else if (!isNameAllowed(origin, host, originRules)) decide(NAME_REFUSED, false);
      else if (!isDoorOpen(request)) decide('too many connections', false);
      else decide(null, true);
    },
  });
  io.engine.use(secureHeaders);
  return io;
}
