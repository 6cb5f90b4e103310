import { io, type Socket } from 'socket.io-client';
import { FlowError } from '../protocol/errors';
import type { AnnouncementName, Announcements, Replies, RequestInputs, RequestName } from '../protocol/schemas';
import { Backoff, type BackoffOptions } from './backoff';
import { Emitter } from './emitter';
import { readRefusal, unanswered, type Refusal } from './refusals';
import { Renewal } from './renewal';
import { Timers, type Clock } from './timers';

export type ConnectionStatus =
  | { readonly state: 'idle' }
  | { readonly state: 'connecting' }
  /** `delayedBy`: the server asked a request of FlowClient's to wait, and why; it is asked again by itself. */
  | { readonly state: 'connected'; readonly delayedBy?: FlowError }
  /** Not connected; the next attempt comes by itself. */
  | { readonly state: 'waiting'; readonly retryInMs: number; readonly reason: string }
  /** The server will not have us: somebody must do something (sign in, update) and call `connect` again. */
  | { readonly state: 'refused'; readonly reason: FlowError }
  | { readonly state: 'closed' };

export interface ConnectionEvents {
  status: ConnectionStatus;
}

export interface ConnectionOptions {
  readonly url: string;
  /** Path of the Socket.IO endpoint. */
  readonly path?: string | undefined;
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Of the wire. */
  readonly clientVersion: number;
  readonly backoff: BackoffOptions;
  readonly connectDeadlineMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** How a request ends: exactly one of the two is called, once, in the order in which answers arrive. */
export interface Answer<Name extends RequestName> {
  readonly onReply: (reply: Replies[Name]) => void;
  readonly onRefusal: (refusal: Refusal) => void;
}

/** Takes what the server says to a request; `undefined` where it says nothing sensible. */
type Receive<Name extends RequestName> = (
  acknowledgement: ({ status: 'ok' } & Replies[Name]) | { status: 'error'; error: unknown } | undefined,
) => void;

/** What a session needs of its connection. */
export type Link = Pick<
  Connection,
  'status' | 'isConnected' | 'events' | 'announcements' | 'connect' | 'recycle' | 'request' | 'submit' | 'send'
>;

/** A connection that stood at least this long was no accident of a server that takes us and drops us at once. */
const STABLE_MS = 1_000;

/** How often it is looked whether an overdue request has left; deadlines are many times that. */
const LEAVING_POLL_MS = 100;

/** One Socket.IO connection that comes back by itself (CL3). Requests are answered in order, within a deadline, or refused. */
export class Connection {
  readonly events = new Emitter<ConnectionEvents>();
  readonly announcements = new Emitter<Announcements>();
  readonly #options: ConnectionOptions;
  readonly #timers: Timers;
  readonly #backoff: Backoff;
  readonly #renewal: Renewal;
  readonly #unansweredRequests = new Set<(refusal: Refusal) => void>();
  /** What to do with an `operation:answer`, by its `ref`. */
  readonly #receivers = new Map<number, Receive<'operation:submit'>>();
  #submits = 0;
  #status: ConnectionStatus = { state: 'idle' };
  #socket: Socket | null = null;
  #connectedAtMs = 0;
  #lastDelayMs = 0;
  /** When a draining server asked to be tried again, or another one in its place. */
  #reconnectAtMs: number | null = null;
  #cancelDrain: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  #stopListeningForNetwork: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#renewal = new Renewal({ timers: this.#timers, renew: () => this.#renewToken() });
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  get isConnected(): boolean {
    return this.#status.state === 'connected';
  }

  get resources(): { sockets: number; timers: number; requests: number } {
    return { sockets: this.#socket ? 1 : 0, timers: this.#timers.size, requests: this.#unansweredRequests.size };
  }

  /** While it is connected; null: no longer. */
  noteDelay(delayedBy: FlowError | null): void {
    if (this.isConnected) this.#setStatus({ state: 'connected', ...(delayedBy ? { delayedBy } : {}) });
  }

  connect(): void {
    const { state } = this.#status;
    if (state === 'idle' || state === 'refused') this.#open();
  }

  close(): void {
    this.#stopWaiting();
    this.#dropSocket('The client was closed.', { state: 'closed' });
    this.#timers.clear();
    this.events.clear();
    this.announcements.clear();
  }

  /** Gives the connection up and makes a new one: the other side no longer answers on this one. */
  recycle(reason: string): void {
    if (this.#socket) this.#onLost(reason, 0);
  }

  request<Name extends RequestName>(
    name: Name,
    payload: RequestInputs[Name],
    deadlineMs: number,
    answer: Answer<Name>,
  ): void {
    this.#ask(name, deadlineMs, answer, (socket, receive) => socket.emit(name, payload, receive));
  }

  /**
   * A submit that the server answers only if no batch will confirm it. Call what is returned when one has: nothing more is waited
   * for then.
   */
  submit(
    payload: RequestInputs['operation:submit'],
    deadlineMs: number,
    answer: Answer<'operation:submit'>,
  ): () => void {
    const ref = (this.#submits += 1);
    const emit = (socket: Socket, receive: Receive<'operation:submit'>): void => {
      this.#receivers.set(ref, receive);
      socket.emit('operation:submit', { ...payload, ref });
    };
    return this.#ask('operation:submit', deadlineMs, answer, emit, () => this.#receivers.delete(ref));
  }

  #ask<Name extends RequestName>(
    name: Name,
    deadlineMs: number,
    { onReply, onRefusal }: Answer<Name>,
    emit: (socket: Socket, receive: Receive<Name>) => void,
    onSettled?: () => void,
  ): () => void {
    const socket = this.#socket;
    if (!socket || !this.isConnected) {
      onRefusal(unanswered('There is no connection.'));
      return () => {};
    }
    const refuse = (refusal: Refusal): void => {
      if (settle()) onRefusal(refusal);
    };
    let cancelDeadline = (): void => {};
    let wasLeaving = false;
    const onDeadline = (): void => {
      // The deadline begins when it has left. Whether the line is dead, pings tell.
      const isLeaving = outgoingBytes(socket) > 0;
      if (!isLeaving && !wasLeaving) return refuse(unanswered(`${name} was not answered in ${deadlineMs} ms.`));
      wasLeaving = isLeaving;
      cancelDeadline = this.#timers.after(isLeaving ? LEAVING_POLL_MS : deadlineMs, onDeadline);
    };
    cancelDeadline = this.#timers.after(deadlineMs, onDeadline);
    const settle = (): boolean => {
      cancelDeadline();
      onSettled?.();
      return this.#unansweredRequests.delete(refuse);
    };
    this.#unansweredRequests.add(refuse);
    emit(socket, (acknowledgement) => {
      if (acknowledgement?.status === 'ok') {
        if (settle()) onReply(acknowledgement);
      } else {
        refuse(
          readRefusal(acknowledgement?.error) ??
            unanswered(`${name} was answered in a way this client does not understand.`),
        );
      }
    });
    return settle;
  }

  /** Sends without waiting for an answer; while there is no connection, nothing. */
  send<Name extends RequestName>(name: Name, payload: RequestInputs[Name]): void {
    if (this.isConnected) this.#socket?.emit(name, payload);
  }

  #open(): void {
    this.#setStatus({ state: 'connecting' });
    const { url, path, connectDeadlineMs } = this.#options;
    const socket = io(url, {
      ...(path === undefined ? {} : { path }),
      transports: ['websocket'],
      // Every attempt has a socket of its own, so that nothing of an old one can reach the new one.
      forceNew: true,
      autoConnect: false,
      reconnection: false,
      timeout: connectDeadlineMs,
      auth: (answer) => {
        this.#credentials().then(
          (credentials) => answer(credentials),
          (cause: unknown) => {
            if (socket === this.#socket) this.#onLost(`The token could not be had: ${String(cause)}`, 0);
          },
        );
      },
    });
    this.#socket = socket;
    socket.on('connect', () => this.#onConnected());
    socket.on('disconnect', (reason) => this.#onLost(reason, 0));
    socket.on('connect_error', (fault) => this.#onConnectError(fault));
    const hear = <Name extends AnnouncementName>(name: Name): void => {
      socket.on(name as string, (payload: Announcements[Name]) => this.announcements.emit(name, payload));
    };
    hear('operation:batch');
    hear('operation:saved');
    socket.on('operation:answer', ({ ref, answer }: Announcements['operation:answer']) =>
      this.#receivers.get(ref)?.(answer),
    );
    hear('session:forked');
    hear('session:participants');
    hear('session:renamed');
    hear('session:role');
    hear('session:closed');
    hear('awareness:update');
    socket.on('auth:expires', ({ expiresInMs }: Announcements['auth:expires']) => {
      // What does not change need not be shown again.
      if (typeof this.#options.token === 'function') this.#renewal.expiresIn(expiresInMs);
    });
    socket.on('auth:ended', ({ error }: Announcements['auth:ended']) => this.#onEnded(error));
    socket.on('server:draining', ({ reconnectAfterMs }: Announcements['server:draining']) =>
      this.#onDraining(reconnectAfterMs),
    );
    socket.connect();
  }

  /** The server no longer knows us by what we have shown; a function may have something newer. */
  #onEnded(told: unknown): void {
    const error = readRefusal(told)?.error ?? new FlowError('UNAUTHENTICATED');
    if (typeof this.#options.token === 'function') this.#onLost(error.message, 0);
    else this.#dropSocket(error.message, { state: 'refused', reason: error });
  }

  async #renewToken(): Promise<number | null> {
    const { token, connectDeadlineMs } = this.#options;
    const fresh = typeof token === 'function' ? await token() : token;
    return new Promise((resolve, reject) => {
      this.request('auth:renew', { token: fresh ?? '' }, connectDeadlineMs, {
        onReply: ({ expiresInMs }) => resolve(expiresInMs ?? null),
        onRefusal: ({ error }) => reject(error),
      });
    });
  }

  async #credentials(): Promise<{ token?: string; clientVersion: number }> {
    const { token, clientVersion } = this.#options;
    const current = typeof token === 'function' ? await token() : token;
    return { clientVersion, ...(current === undefined ? {} : { token: current }) };
  }

  #onConnected(): void {
    this.#connectedAtMs = this.#timers.now();
    this.#reconnectAtMs = null;
    this.#setStatus({ state: 'connected' });
  }

  /** What is in flight is still answered; the server ends the connection when it is done, and we at the time it named. */
  #onDraining(reconnectAfterMs: number): void {
    this.#reconnectAtMs = this.#timers.now() + reconnectAfterMs;
    this.#cancelDrain?.();
    this.#cancelDrain = this.#timers.after(reconnectAfterMs, () => this.#onLost('The server is draining.', 0));
  }

  #onConnectError(fault: Error & { data?: unknown }): void {
    const refusal = readRefusal(fault.data);
    if (refusal?.action === 'stop') {
      this.#dropSocket(refusal.error.message, { state: 'refused', reason: refusal.error });
      return;
    }
    this.#onLost(refusal?.error.message ?? fault.message, refusal?.error.details.retryAfterMs ?? 0);
  }

  #onLost(reason: string, retryAfterMs: number): void {
    const wasConnected = this.isConnected;
    const upMs = this.#timers.now() - this.#connectedAtMs;
    if (wasConnected && upMs > Math.max(STABLE_MS, this.#lastDelayMs)) this.#backoff.reset();
    const drainedMs = this.#reconnectAtMs === null ? 0 : this.#reconnectAtMs - this.#timers.now();
    this.#reconnectAtMs = null;
    const retryInMs = drainedMs > 0 ? drainedMs : this.#backoff.nextMs(retryAfterMs);
    this.#lastDelayMs = retryInMs;
    this.#cancelRetry = this.#timers.after(retryInMs, () => this.#retry());
    this.#stopListeningForNetwork = onNetworkBack(() => this.#retry());
    this.#dropSocket(reason, { state: 'waiting', retryInMs, reason });
  }

  #retry(): void {
    this.#stopWaiting();
    this.#open();
  }

  #stopWaiting(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#stopListeningForNetwork?.();
    this.#stopListeningForNetwork = null;
  }

  /** The status changes before anybody hears that a request failed, so that nobody asks again on the dead socket. */
  #dropSocket(reason: string, status: ConnectionStatus): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancelDrain?.();
    this.#cancelDrain = null;
    this.#renewal.stop();
    socket?.removeAllListeners();
    socket?.disconnect();
    this.#setStatus(status);
    for (const refuse of [...this.#unansweredRequests]) refuse(unanswered(reason));
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.events.emit('status', status);
  }
}

/** A browser knows when the network is back; waiting out the delay then would only annoy. */
function onNetworkBack(run: () => void): () => void {
  if (typeof window === 'undefined') return () => {};
  window.addEventListener('online', run, { once: true });
  return () => window.removeEventListener('online', run);
}

/** Bytes that were handed to the WebSocket and have not left yet; Socket.IO does not tell. */
function outgoingBytes(socket: Socket): number {
  const { transport }: { transport: object } = socket.io.engine;
  const webSocket: unknown = 'ws' in transport ? transport.ws : null;
  if (typeof webSocket !== 'object' || webSocket === null || !('bufferedAmount' in webSocket)) return 0;
  return typeof webSocket.bufferedAmount === 'number' ? webSocket.bufferedAmount : 0;
}
