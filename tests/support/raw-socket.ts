import { Socket as TcpSocket } from 'node:net';
import { WebSocket } from 'ws';

const DEADLINE_MS = 10_000;

/** Where Socket.IO listens on a server. */
export const socketIoUrl = (url: string): string =>
  `${url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;

/** A WebSocket with nothing on top: says whatever a test wants, and stops reading when told to. */
export class RawSocket {
  readonly #webSocket: WebSocket;
  readonly #heard: string[] = [];
  #closedWith: number | undefined;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on('message', (bytes: Buffer, isBinary: boolean) => {
      const text = isBinary ? `<${bytes.length} bytes>` : bytes.toString();
      // Pings are answered, so that only what a test does ends a connection.
      if (text === '2') webSocket.send('3');
      else this.#heard.push(text);
    });
    webSocket.on('close', (code) => {
      this.#closedWith = code;
    });
    webSocket.on('error', () => {});
  }

  /** Open, with Engine.IO's greeting read. */
  static async open(url: string): Promise<RawSocket> {
    const socket = new RawSocket(new WebSocket(socketIoUrl(url)));
    await socket.hears((text) => text.startsWith('0'));
    return socket;
  }

  /** The same, with Socket.IO's default namespace joined. */
  static async connect(url: string, auth: object = {}): Promise<{ socket: RawSocket; connectionId: string }> {
    const socket = await RawSocket.open(url);
    socket.send(`40${JSON.stringify(auth)}`);
    const answer = await socket.hears((text) => text.startsWith('40'));
    const { sid } = JSON.parse(answer.slice(2)) as { sid: string };
    return { socket, connectionId: sid };
  }

  /** A frame of text, or of bytes. */
  send(frame: string | Buffer): void {
    this.#webSocket.send(frame, () => {});
  }

  /** Bytes below WebSocket: a whole frame, masked as a client must. */
  sendFrame(bytes: Buffer): void {
    const tcp: unknown = Reflect.get(this.#webSocket, '_socket');
    if (!(tcp instanceof TcpSocket)) throw new Error('not connected');
    tcp.write(bytes);
  }

  /** From now on nothing is read, and no ping is answered. */
  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  /** Whether the other side has ended the TCP connection, which a paused reader learns only when it writes. */
  isAbandoned(): boolean {
    if (this.#closedWith !== undefined) return true;
    const tcp: unknown = Reflect.get(this.#webSocket, '_socket');
    if (!(tcp instanceof TcpSocket) || tcp.destroyed) return true;
    tcp.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
    return false;
  }

  /** The next message like this that nobody has taken yet. */
  async hears(isWanted: (text: string) => boolean): Promise<string> {
    const endsAt = performance.now() + DEADLINE_MS;
    for (;;) {
      const index = this.#heard.findIndex(isWanted);
      if (index >= 0) return this.#heard.splice(index, 1)[0] ?? '';
      if (this.#closedWith !== undefined) throw new Error(`closed with ${this.#closedWith}; heard ${this.#last()}`);
      if (performance.now() > endsAt) throw new Error(`not heard; last heard: ${this.#last()}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** The close code, once the other side has closed. */
  async closed(): Promise<number> {
    const endsAt = performance.now() + DEADLINE_MS;
    while (this.#closedWith === undefined) {
      if (performance.now() > endsAt) throw new Error(`still open; last heard: ${this.#last()}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return this.#closedWith;
  }

  get isClosed(): boolean {
    return this.#closedWith !== undefined;
  }

  close(): void {
    this.#webSocket.terminate();
  }

  #last(): string {
    return this.#heard
      .slice(-3)
      .map((text) => text.slice(0, 200))
      .join(' | ');
  }
}
