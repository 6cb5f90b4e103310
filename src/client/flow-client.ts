import { FlowError } from '../protocol/errors';
import type { Replies, RequestInputs, RequestName, SessionInfo } from '../protocol/schemas';
import { PROTOCOL_VERSION } from '../protocol/version';
import type { BackoffOptions } from './backoff';
import { Connection, type ConnectionEvents, type ConnectionStatus } from './connection';
import type { Refusal } from './refusals';
import { FlowSession } from './session';
import { StoredQueue, type QueueLocks, type QueueStorage } from './stored-queue';
import { systemClock, type Clock } from './timers';
import { webLocks } from './web-locks';

export interface FlowClientOptions {
  /** Of the server, `https://…` or `wss://…`. */
  readonly url: string;
  /** Path of the Socket.IO endpoint; `/socket.io` unless told. */
  readonly path?: string;
  /** Who is writing; a function is asked before every connection, so that a token can be fresh. */
  readonly token?: string | (() => string | Promise<string>);
  /** The version of the wire to speak; the one this library was made for unless told. */
  readonly clientVersion?: number;
  /** Delays between attempts to connect, and between repetitions of a refused request. */
  readonly backoff?: BackoffOptions;
  readonly connectDeadlineMs?: number;
  /** How long a request waits for its answer. */
  readonly requestDeadlineMs?: number;
  /** What one session keeps of unsaved operations at most (CL4). */
  readonly maxHeldBytes?: number;
  /** Keeps unsaved operations over a reload. */
  readonly storage?: QueueStorage;
  /** Keeps a stored queue to one tab; Web Locks where there are any. A storage without locks is refused. */
  readonly locks?: QueueLocks;
  readonly clock?: Clock;
  /** 0 ≤ value < 1, like Math.random. */
  readonly random?: () => number;
}

const DEFAULTS = {
  clientVersion: PROTOCOL_VERSION,
  /** A first retry that nobody notices, a last one that does not drown a server with a thousand clients. */
  backoff: { firstMs: 200, ceilingMs: 20_000 },
  connectDeadlineMs: 10_000,
  /** Enough for the join of a large document over a slow line. */
  requestDeadlineMs: 30_000,
  /** Days of typing. */
  maxHeldBytes: 16 * 1_048_576,
};

/** One connection to a server and the sessions on it. */
export class FlowClient {
  readonly #options: FlowClientOptions & typeof DEFAULTS & { readonly clock: Clock; readonly random: () => number };
  readonly #connection: Connection;
  readonly #locks: QueueLocks | null;
  readonly #sessions = new Map<string, FlowSession>();
  readonly #waiting = new Set<(error: FlowError) => void>();
  /** Of requests that the server asked to wait. */
  readonly #delays = new Map<RequestName, Promise<void>>();

  constructor(options: FlowClientOptions) {
    demandServerUrl(options.url);
    this.#options = { ...DEFAULTS, clock: systemClock, random: Math.random, ...options };
    this.#locks = options.locks ?? webLocks();
    if (options.storage && !this.#locks) {
      throw new FlowError(
        'BAD_REQUEST',
        'A stored queue needs `locks` here: without them two tabs could speak for one client.',
      );
    }
    const { url, path, token, clientVersion, backoff, connectDeadlineMs, clock, random } = this.#options;
    this.#connection = new Connection({ url, path, token, clientVersion, backoff, connectDeadlineMs, clock, random });
  }

  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  /** What is open; all zero after `close`. */
  get resources(): { sockets: number; timers: number; requests: number; sessions: number } {
    const { sockets, timers, requests } = this.#connection.resources;
    const sessions = [...this.#sessions.values()];
    return {
      sockets,
      timers: sessions.reduce((sum, session) => sum + session.resources.timers, timers),
      requests: requests + this.#waiting.size,
      sessions: sessions.length,
    };
  }

  on<Name extends keyof ConnectionEvents>(name: Name, listener: (payload: ConnectionEvents[Name]) => void): () => void {
    return this.#connection.events.on(name, listener);
  }

  /** Opens the connection; `join` and requests do it themselves. After a refusal: tries again. */
  connect(): void {
    this.#connection.connect();
  }

  async createSession(draft: RequestInputs['session:create'] = {}): Promise<SessionInfo> {
    const { session } = await this.request('session:create', draft);
    return session;
  }

  /** The session with this id: one object as long as it is not closed. */
  session(sessionId: string): FlowSession {
    const known = this.#sessions.get(sessionId);
    if (known) return known;
    if (this.status.state === 'closed') throw closedError();
    const { storage, clock, random, backoff, requestDeadlineMs, maxHeldBytes } = this.#options;
    const session = new FlowSession({
      sessionId,
      connection: this.#connection,
      clock,
      random,
      backoff,
      requestDeadlineMs,
      maxHeldBytes,
      stored: storage && this.#locks ? new StoredQueue(sessionId, storage, this.#locks) : null,
      onClosed: () => this.#sessions.delete(sessionId),
    });
    this.#sessions.set(sessionId, session);
    return session;
  }

  /**
   * Asks the server once there is a connection, and again where it says for how long to wait. Rejects with any other refusal, or
   * NOT_DELIVERED when no answer came.
   */
  async request<Name extends RequestName>(name: Name, payload: RequestInputs[Name]): Promise<Replies[Name]> {
    for (;;) {
      await this.#delays.get(name);
      await this.#connected();
      const answer = await this.#ask(name, payload);
      if (!('error' in answer)) return answer.reply;
      const { action, error } = answer;
      const { retryAfterMs } = error.details;
      if (action !== 'wait' || retryAfterMs === undefined) throw error;
      if (!this.#delays.has(name)) this.#delay(name, error, retryAfterMs);
    }
  }

  /** Ends the sessions and the connection; leaves no timer and no listener. */
  close(): void {
    for (const session of [...this.#sessions.values()]) session.close();
    for (const fail of [...this.#waiting]) fail(closedError());
    this.#connection.close();
  }

  #ask<Name extends RequestName>(
    name: Name,
    payload: RequestInputs[Name],
  ): Promise<{ readonly reply: Replies[Name] } | Refusal> {
    return new Promise((resolve) => {
      this.#connection.request(name, payload, this.#options.requestDeadlineMs, {
        onReply: (reply) => resolve({ reply }),
        onRefusal: resolve,
      });
    });
  }

  /** Whatever is asked under this name meanwhile waits, too, and behind what has been asked. */
  #delay(name: RequestName, error: FlowError, retryAfterMs: number): void {
    const { clock, random } = this.#options;
    const delay = new Promise<void>((resolve, reject) => {
      const end = (closed: FlowError | null): void => {
        cancel();
        this.#delays.delete(name);
        this.#waiting.delete(end);
        if (this.#delays.size === 0) this.#connection.noteDelay(null);
        if (closed) reject(closed);
        else resolve();
      };
      const cancel = clock.after(retryAfterMs * (1 + random() / 4), () => end(null));
      this.#waiting.add(end);
    });
    delay.catch(() => {});
    this.#delays.set(name, delay);
    this.#connection.noteDelay(error);
  }

  #connected(): Promise<void> {
    const { state } = this.status;
    if (state === 'connected') return Promise.resolve();
    if (state === 'closed') return Promise.reject(closedError());
    this.#connection.connect();
    return new Promise((resolve, reject) => {
      const { clock, requestDeadlineMs } = this.#options;
      const end = (error: FlowError | null): void => {
        stopListening();
        cancelDeadline();
        this.#waiting.delete(end);
        if (error) reject(error);
        else resolve();
      };
      const stopListening = this.#connection.events.on('status', (status) => {
        if (status.state === 'connected') end(null);
        else if (status.state === 'refused') end(status.reason);
      });
      const cancelDeadline = clock.after(requestDeadlineMs, () => {
        const { status } = this;
        const why = status.state === 'waiting' ? `: ${status.reason}` : '';
        end(new FlowError('NOT_DELIVERED', `There was no connection for ${requestDeadlineMs} ms${why}.`));
      });
      this.#waiting.add(end);
    });
  }
}

const closedError = (): FlowError => new FlowError('NOT_DELIVERED', 'The client was closed.');

const SERVER_PROTOCOLS: readonly string[] = ['http:', 'https:', 'ws:', 'wss:'];

/** Socket.IO would try for ever to reach what is no address. In a browser the page's own server needs no name. */
function demandServerUrl(text: string): void {
  const base = typeof location === 'undefined' ? undefined : location.origin;
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  if (!url || !SERVER_PROTOCOLS.includes(url.protocol))
    throw new FlowError('BAD_REQUEST', `\`url\` must be an http, https, ws or wss address, it is "${text}".`);
  if (url.pathname !== '/')
    throw new FlowError(
      'BAD_REQUEST',
      `\`url\` has a path, "${url.pathname}"; that of the endpoint is the option \`path\`.`,
    );
}
