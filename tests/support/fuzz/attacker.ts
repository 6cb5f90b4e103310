import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { socketIoUrl } from '../raw-socket';
import type { Hostile } from './hostile';

/** Long enough for a busy machine, short enough for a run of 100,000. */
const ANSWER_MS = 5_000;
/** What comes back at once is waited for; who says nothing is not. */
const THROWAWAY_MS = 8;

export interface Answers {
  ok: number;
  refused: Record<string, number>;
  /** Acts after which the server ended the connection. */
  cutOff: number;
  /** Acts after which nothing came any more although the connection was open. */
  silent: number;
}

const upgrade = (host: string): string =>
  `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** A member of the session `arena` who sends what it is given, and comes back whenever it is thrown out. */
export class Attacker {
  readonly answers: Answers = { ok: 0, refused: {}, cutOff: 0, silent: 0 };
  readonly #url: string;
  readonly #user: string;
  #webSocket: WebSocket | undefined;
  #ackId = 0;
  #clientSeq = 0;
  readonly #waiting = new Map<number, (answer: unknown) => void>();

  constructor(url: string, user: string) {
    this.#url = url;
    this.#user = user;
  }

  /** Resolves when the server has dealt with it. */
  async do(act: Hostile): Promise<void> {
    switch (act.kind) {
      case 'bytes':
        return this.#throwAway(Buffer.concat([Buffer.from(upgrade(new URL(this.#url).host)), act.bytes]));
      case 'http':
        return this.#throwAway(act.bytes);
      case 'message':
        await this.#connected();
        this.#webSocket?.send(act.message, () => {});
        return this.#fence();
      case 'event':
        await this.#connected();
        this.#count(await this.#ask(act.name, act.bodies));
        return;
      case 'update': {
        await this.#connected();
        const body = { sessionId: 'arena', clientSeq: this.#clientSeq + 1, operations: [act.update] };
        const answer = await this.#ask('operation:submit', [body]);
        const { status, error } = (answer ?? {}) as { status?: string; error?: { expected?: number } };
        if (status === 'ok') this.#clientSeq += 1;
        // An event of another act may have been accepted under this number.
        if (error?.expected !== undefined) this.#clientSeq = error.expected - 1;
        this.#count(answer);
      }
    }
  }

  close(): void {
    this.#webSocket?.terminate();
  }

  async #throwAway(bytes: Buffer): Promise<void> {
    const { hostname, port } = new URL(this.#url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    socket.resume();
    socket.end(bytes);
    const closed = once(socket, 'close').catch(() => {});
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, THROWAWAY_MS))]);
    socket.destroy();
  }

  async #connected(): Promise<void> {
    if (this.#webSocket?.readyState === WebSocket.OPEN) return;
    const webSocket = new WebSocket(socketIoUrl(this.#url));
    this.#webSocket = webSocket;
    webSocket.on('error', () => {});
    const isConnected = new Promise<void>((resolve, reject) => {
      webSocket.on('message', (bytes: Buffer) => {
        const text = bytes.toString();
        if (text.startsWith('0{')) webSocket.send(`40${JSON.stringify({ token: this.#user })}`);
        else if (text.startsWith('40{')) resolve();
        else if (text === '2') webSocket.send('3', () => {});
        else this.#hear(text);
      });
      webSocket.once('close', () => {
        reject(new Error('the server let nobody in'));
        if (this.#webSocket !== webSocket) return;
        for (const answer of this.#waiting.values()) answer(undefined);
        this.#waiting.clear();
      });
    });
    await isConnected;
    this.#clientSeq = 0;
    await this.#ask('session:join', [{ sessionId: 'json' }]);
    const joined = await this.#ask('session:join', [{ sessionId: 'arena' }]);
    if ((joined as { status?: string } | undefined)?.status !== 'ok')
      throw new Error(`an attacker could not join: ${JSON.stringify(joined)}`);
  }

  /** The acknowledgement; undefined when the connection ended, or nothing came. */
  #ask(name: string, bodies: readonly unknown[]): Promise<unknown> {
    this.#ackId += 1;
    const ackId = this.#ackId;
    this.#webSocket?.send(`42${ackId}${JSON.stringify([name, ...bodies])}`, () => {});
    return new Promise((resolve) => {
      const overdue = setTimeout(() => {
        // Names that Socket.IO keeps for itself end the connection without a word.
        this.answers.silent += 1;
        this.#webSocket?.terminate();
      }, ANSWER_MS);
      this.#waiting.set(ackId, (answer) => {
        clearTimeout(overdue);
        resolve(answer);
      });
    });
  }

  /** Until the server answers a question, or has ended the connection. */
  async #fence(): Promise<void> {
    this.#count(await this.#ask('test:fence', [{}]));
  }

  #hear(text: string): void {
    const answer = /^43(\d+)(\[.*)$/s.exec(text);
    const done = answer && this.#waiting.get(Number(answer[1]));
    if (!done) return;
    this.#waiting.delete(Number(answer[1]));
    done((JSON.parse(answer[2] ?? '[]') as unknown[])[0]);
  }

  #count(answer: unknown): void {
    const { status, error } = (answer ?? {}) as { status?: string; error?: { code: string } };
    if (status === 'ok') this.answers.ok += 1;
    else if (error) this.answers.refused[error.code] = (this.answers.refused[error.code] ?? 0) + 1;
    else this.answers.cutOff += 1;
  }
}
