import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP relay between clients and whichever server is behind it: the network that fails. */
export class Gateway {
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();
  #target: { host: string; port: number } | null = null;
  accepted = 0;

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Null: nobody is there. */
  route(url: string | null): void {
    const { hostname, port } = url === null ? {} : new URL(url);
    this.#target = hostname === undefined ? null : { host: hostname, port: Number(port) };
  }

  /** Ends every connection without a goodbye. */
  cut(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.accepted += 1;
    if (!this.#target) {
      socket.destroy();
      return;
    }
    const onward = connect(this.#target);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
