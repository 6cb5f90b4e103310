import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type { WireError } from '../../../src/protocol/errors';
import { ERRORS, type ErrorCode } from '../../../src/protocol/errors';

type Script = (request: unknown, socket: Socket) => object | null;

/** Says what a test wants it to say, to see what the client makes of what a real server never says on demand. */
export class ScriptedServer {
  readonly #http = createServer();
  readonly #io = new Server(this.#http, { transports: ['websocket'], serveClient: false, maxHttpBufferSize: 1e8 });
  readonly #scripts = new Map<string, Script>();
  readonly requests: Array<{ name: string; request: unknown; atMs: number }> = [];
  readonly handshakes: unknown[] = [];
  /** What the next handshakes are refused with. */
  refusal: WireError | null = null;

  async start(): Promise<this> {
    this.#io.use((socket, next) => {
      this.handshakes.push(socket.handshake.auth);
      if (!this.refusal) next();
      else next(Object.assign(new Error(this.refusal.message), { data: this.refusal }));
    });
    this.#io.on('connection', (socket) => {
      socket.onAny((name: string, sent: Record<string, unknown>, acknowledge: unknown) => {
        const { ref, ...request } = sent;
        this.requests.push({ name, request, atMs: performance.now() });
        const answer = this.#scripts.get(name)?.(request, socket) ?? null;
        if (answer && typeof acknowledge === 'function') acknowledge(answer);
        else if (answer && ref !== undefined)
          socket.emit('operation:answer', { sessionId: request['sessionId'], ref, answer });
      });
    });
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    return this;
  }

  get url(): string {
    const { port } = this.#http.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  get connections(): number {
    return this.#io.engine.clientsCount;
  }

  /** `null`: no answer. */
  on(name: string, script: Script): void {
    this.#scripts.set(name, script);
  }

  named(name: string): Array<{ name: string; request: unknown; atMs: number }> {
    return this.requests.filter((request) => request.name === name);
  }

  announce(name: string, payload: unknown): void {
    this.#io.emit(name, payload);
  }

  dropAll(): void {
    this.#io.disconnectSockets(true);
  }

  async stop(): Promise<void> {
    await this.#io.close();
  }
}

export function refusalOf(code: ErrorCode, details: Partial<WireError> = {}): { status: 'error'; error: WireError } {
  const { meaning, action } = ERRORS[code];
  return { status: 'error', error: { code, message: meaning, action, ...details } };
}

/** A join reply of a session that has nothing in it. */
export const emptyJoin = (sessionId: string, changes: object = {}): object => ({
  status: 'ok',
  session: { sessionId, title: '', format: 'json', createdBy: 'u', createdAt: 0, updatedAt: 0 },
  client: { clientId: 'client-1', signature: 'signed', lastClientSeq: 0 },
  role: 'editor',
  head: { epoch: 1, seq: 0, tag: '' },
  saved: { epoch: 1, seq: 0, tag: '' },
  resume: 'start',
  entries: [],
  next: { seq: 0, tag: '' },
  more: false,
  participants: [],
  awareness: {},
  limits: { operationBytes: 1_048_576, batchOperations: 256, batchBytes: 2_097_152 },
  ...changes,
});
