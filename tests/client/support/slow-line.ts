import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP relay to one server whose way up is as slow as a test says; the way down is not. */
export class SlowLine {
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();
  readonly #target: { host: string; port: number };
  /** 0: nothing passes. */
  bytesPerSecond: number;
  /** That went up. */
  bytes = 0;

  constructor(url: string, bytesPerSecond: number) {
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port) };
    this.bytesPerSecond = bytesPerSecond;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    for (const socket of [...this.#sockets]) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    const onward = connect(this.#target);
    onward.pipe(socket);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    void this.#carry(socket, onward);
  }

  /** What is not carried yet stays in the buffers of those who sent it. */
  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        while (this.bytesPerSecond === 0 && !from.destroyed) await passed(20);
        if (Number.isFinite(this.bytesPerSecond)) await passed((chunk.length / this.bytesPerSecond) * 1_000);
        this.bytes += chunk.length;
        to.write(chunk);
      }
    } catch {
      // Cut: its other side is told by 'close'.
    }
  }
}

const passed = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));
