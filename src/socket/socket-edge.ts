import type { Server, Socket } from 'socket.io';
import type { Authenticate, Authorize, User } from '../access/access';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { Logger } from '../lib/logger';
import type { OpenSessions } from '../live/open-sessions';
import { ERRORS } from '../protocol/errors';
import { toFlowError } from '../lib/faults';
import { FlowError } from '../protocol/errors';
import { isVersionSupported } from '../protocol/version';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { Telemetry } from '../telemetry/telemetry';
import { serveAwareness } from './awareness-handlers';
import { Connection } from './connection';
import { serveOperations } from './operation-handlers';
import { serveSessions } from './session-handlers';

/** Clients of a stopping server come back spread over this time. */
const RECONNECT_SPREAD = { fromMs: 200, toMs: 2_000 };

interface SocketEdgeOptions {
  readonly io: Server;
  readonly sockets: WebSocketManager;
  readonly collaboration: CollaborationService;
  readonly openSessions: OpenSessions;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly telemetry: Telemetry;
  readonly log: Logger;
  readonly limits: { readonly maxInFlightBatches: number };
}

/** The Socket.IO side of the server: handshake, requests, goodbye. */
export class SocketEdge {
  readonly #options: SocketEdgeOptions;

  constructor(options: SocketEdgeOptions) {
    this.#options = options;
  }

  start(): void {
    const { io } = this.#options;
    io.use((socket, next) => {
      this.#authenticate(socket).then(
        (user) => {
          socket.data = user;
          next();
        },
        (fault: unknown) => next(this.#refusal(fault)),
      );
    });
    io.on('connection', (socket) => this.#connected(socket));
  }

  /** Ends every connection. The HTTP server stays its owner's. */
  stop(): void {
    const { io } = this.#options;
    io.disconnectSockets(true);
    io.engine.close();
  }

  /** Tells every client to come back elsewhere or later; each at its own moment. */
  announceDraining(): void {
    const { fromMs, toMs } = RECONNECT_SPREAD;
    for (const socket of this.#options.io.sockets.sockets.values()) {
      socket.emit('server:draining', { reconnectAfterMs: Math.round(fromMs + Math.random() * (toMs - fromMs)) });
    }
  }

  async #authenticate(socket: Socket): Promise<User> {
    const { token, clientVersion } = socket.handshake.auth as Record<string, unknown>;
    if (clientVersion !== undefined && !isVersionSupported(clientVersion)) throw new FlowError('VERSION_UNSUPPORTED');
    if (token !== undefined && typeof token !== 'string')
      throw new FlowError('UNAUTHENTICATED', 'The token must be a string.');
    const user = await this.#options.authenticate({ token, address: socket.handshake.address });
    if (!user) throw new FlowError('UNAUTHENTICATED');
    return { userId: user.userId };
  }

  /** Socket.IO sends `message` and `data` of this error to the client as `connect_error`. */
  #refusal(fault: unknown): Error & { data: unknown } {
    const error = toFlowError(fault);
    this.#options.log[ERRORS[error.code].logLevel]({ err: error }, 'connection refused');
    return Object.assign(new Error(error.message), { data: error.toWire() });
  }

  #connected(socket: Socket): void {
    const { sockets, telemetry, log, limits } = this.#options;
    const user = socket.data as User;
    const connection = new Connection(socket, user, { telemetry, log });
    sockets.register(socket.id, user.userId);
    serveSessions(connection, this.#options);
    serveOperations(connection, limits);
    serveAwareness(connection);
    socket.on('disconnect', () => {
      // Behind a join that is still under way, so that it leaves nothing behind.
      void connection.inTurn(async () => {
        for (const session of connection.sessions.values()) session.leave(socket.id);
        connection.sessions.clear();
      });
    });
  }
}
