import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'socket.io';
import type { Credentials, User } from '../access/access';
import type { Authentication } from '../access/authentication';
import type { Authorisation } from '../access/authorisation';
import type { Revocations } from '../access/revocations';
import type { WebSocketManager } from '../connections/websocket-manager';
import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { peerAddress } from '../lib/peer-address';
import { RefusalLog } from '../lib/refusal-log';
import { webSocketOf, type WebSocketOfEngine } from '../lib/web-socket-of';
import type { Arrivals } from '../limits/arrivals';
import { ConnectionLimits, type ConnectionLimitSettings } from '../limits/connection-limits';
import type { UserLimits } from '../limits/user-limits';
import type { OpenSessions } from '../live/open-sessions';
import type { SlowConsumers } from '../live/slow-consumers';
import { toFlowError } from '../lib/faults';
import { FlowError, type WireError } from '../protocol/errors';
import { isVersionSupported } from '../protocol/version';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { Telemetry } from '../telemetry/telemetry';
import { serveAuth } from './auth-handlers';
import { serveAwareness } from './awareness-handlers';
import { Connection } from './connection';
import { serveOperations } from './operation-handlers';
import { serveRoles } from './role-handlers';
import { serveSessions } from './session-handlers';
import { SignIn } from './sign-in';

/** Clients of a stopping server come back spread over this time. */
const RECONNECT_SPREAD = { fromMs: 200, toMs: 2_000 };

/** A client that is there answers the goodbye in a round trip; one that has stopped reading never does. */
const GOODBYE_MS = 500;
/** A connection that was closed here is given so long to read what was written before, and to say goodbye. */
const CLOSING_MS = 2_000;

/** What Engine.IO's untyped event brings. */
interface EngineConnection {
  readonly transport: object;
  readonly request: IncomingMessage;
  once(event: 'close', run: () => void): unknown;
}

interface SocketEdgeOptions {
  readonly io: Server;
  readonly sockets: WebSocketManager;
  readonly collaboration: CollaborationService;
  readonly openSessions: OpenSessions;
  readonly authentication: Authentication;
  readonly revocations: Revocations;
  readonly authorisation: Authorisation;
  readonly telemetry: Telemetry;
  readonly log: Logger;
  readonly clock: Clock;
  readonly slowConsumers: SlowConsumers;
  readonly arrivals: Arrivals;
  readonly userLimits: UserLimits;
  readonly limits: ConnectionLimitSettings & {
    readonly maxInFlightBatches: number;
    readonly maxSessionsPerConnection: number;
    /** Proxies that may say where a connection came from. */
    readonly trustProxy: number;
  };
}

/** Who a socket is, and what was shown for it. */
interface Shown {
  readonly user: User;
  readonly credentials: Credentials;
}

/** The Socket.IO side of the server: handshake, requests, goodbye. */
export class SocketEdge {
  readonly #options: SocketEdgeOptions;
  readonly #refusals: RefusalLog;
  /** Those that have not said who they are, and those that have stopped listening, too. */
  readonly #webSockets = new Set<WebSocketOfEngine>();
  /** By connection. */
  readonly #signIns = new Map<string, SignIn>();

  constructor(options: SocketEdgeOptions) {
    const { log, clock } = options;
    this.#options = options;
    this.#refusals = new RefusalLog({ log, clock });
    options.revocations.onRevoked((userId) => {
      for (const signIn of this.#signIns.values()) if (signIn.user.userId === userId) signIn.review();
    });
  }

  start(): void {
    const { io, clock, arrivals, limits } = this.#options;
    io.engine.on('connection', (conn: EngineConnection) => {
      const webSocket = webSocketOf(conn);
      if (!webSocket) return;
      webSocket.once('close', arrivals.came(peerAddress(conn.request, limits.trustProxy)));
      this.#webSockets.add(webSocket);
      let cancel = (): void => {};
      conn.once('close', () => {
        if (this.#webSockets.has(webSocket)) cancel = clock.after(CLOSING_MS, () => webSocket.terminate());
      });
      webSocket.once('close', () => {
        cancel();
        this.#webSockets.delete(webSocket);
      });
    });
    io.use((socket, next) => {
      this.#authenticate(socket).then(
        (shown) => {
          socket.data = shown;
          next();
        },
        (fault: unknown) => {
          const refusal = this.#refusal(fault);
          next(refusal);
          // When it has been told: otherwise it would stay until its time is over, and ask again and again.
          if (refusal.data.code === 'RATE_LIMITED') setImmediate(() => socket.conn.close());
        },
      );
    });
    io.on('connection', (socket) => this.#connected(socket));
  }

  /** Ends every connection, at last by force. The HTTP server stays its owner's. */
  async stop(): Promise<void> {
    const { io, clock } = this.#options;
    const webSockets = [...this.#webSockets];
    const closed = webSockets.map(
      (webSocket) => new Promise<void>((resolve) => void webSocket.once('close', () => resolve())),
    );
    this.#refusals.end();
    io.local.disconnectSockets(true);
    io.engine.close();
    await isDoneWithin(clock, Promise.all(closed), GOODBYE_MS);
    for (const webSocket of webSockets) webSocket.terminate();
  }

  /** Tells every client to come back elsewhere or later; each at its own moment. */
  announceDraining(): void {
    const { fromMs, toMs } = RECONNECT_SPREAD;
    for (const socket of this.#options.io.sockets.sockets.values()) {
      socket.emit('server:draining', { reconnectAfterMs: Math.round(fromMs + Math.random() * (toMs - fromMs)) });
    }
  }

  async #authenticate(socket: Socket): Promise<Shown> {
    const { authentication, arrivals, limits } = this.#options;
    const address = peerAddress(socket.request, limits.trustProxy);
    await arrivals.demandRoomFor(address);
    const { token, clientVersion } = socket.handshake.auth as Record<string, unknown>;
    if (clientVersion !== undefined && !isVersionSupported(clientVersion)) throw new FlowError('VERSION_UNSUPPORTED');
    if (token !== undefined && typeof token !== 'string')
      throw new FlowError('UNAUTHENTICATED', 'The token must be a string.');
    const userAgent = socket.handshake.headers['user-agent'] ?? '';
    const credentials: Credentials = { token, address, userAgent, via: 'socket' };
    const user = await authentication.identify(credentials);
    await arrivals.demandRoomForUser(user.userId);
    return { credentials, user };
  }

  /** Socket.IO sends `message` and `data` of this error to the client as `connect_error`. */
  #refusal(fault: unknown): Error & { data: WireError } {
    const error = toFlowError(fault);
    this.#options.telemetry.refused(error);
    this.#refusals.add(error, 'connect');
    return Object.assign(new Error(error.message), { data: error.toWire() });
  }

  #connected(socket: Socket): void {
    const { sockets, openSessions, authentication, telemetry, clock, log, slowConsumers } = this.#options;
    const { arrivals, userLimits, limits } = this.#options;
    const { user, credentials: shown } = socket.data as Shown;
    const onEnd = (refusal: FlowError): void => this.#cutOff(socket, refusal);
    const signIn = new SignIn({ user, shown, authentication, clock, onEnd });
    this.#signIns.set(socket.id, signIn);
    const signedOut = arrivals.signedIn(user.userId);
    const connection = new Connection(socket, signIn, {
      telemetry,
      clock,
      log,
      backlogBytes: () => sockets.backlogBytes(socket.id),
      slowConsumers,
      limits: new ConnectionLimits({ settings: limits, user: userLimits.of(user.userId), clock }),
      maxSessions: limits.maxSessionsPerConnection,
      cutOff: () => sockets.disconnectHere(socket.id),
      openSession: (sessionId) => openSessions.get(sessionId),
    });
    sockets.register(socket.id, user.userId);
    serveAuth(connection, { signIn, authentication });
    serveSessions(connection, this.#options);
    serveRoles(connection, this.#options);
    serveOperations(connection, limits, sockets);
    serveAwareness(connection);
    socket.on('disconnect', (reason) => {
      signIn.stop();
      signedOut();
      this.#signIns.delete(socket.id);
      connection.end();
      // Who has left is nobody any more, and must not stay for ever; a stock client closes then, too.
      if (reason === 'client namespace disconnect') socket.conn.close();
    });
    const { expiresAt, expiresInMs } = signIn.expiry;
    if (expiresAt !== undefined && expiresInMs !== undefined) {
      sockets.toConnectionHere(socket.id, 'auth:expires', { expiresAt, expiresInMs });
    }
    // It may have been revoked since it was let in.
    signIn.review();
  }

  /** Tells why, and ends the connection: in an orderly way if it reads, by force if it does not. */
  #cutOff(socket: Socket, refusal: FlowError): void {
    const { sockets, clock, log } = this.#options;
    log.info({ connectionId: socket.id, code: refusal.code, reason: refusal.message }, 'connection ended');
    sockets.toConnectionHere(socket.id, 'auth:ended', { error: refusal.toWire() });
    const webSocket = webSocketOf(socket.conn);
    socket.disconnect(true);
    if (webSocket)
      webSocket.once(
        'close',
        clock.after(GOODBYE_MS, () => webSocket.terminate()),
      );
  }
}
