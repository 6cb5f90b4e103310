import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'up' | 'down';

/** A line between a client and whichever server it is led to: cuts, stalls, delays and swallows what passes. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: () => number | null;
  readonly #wires = new Set<Wire>();
  /** How many want new connections to be refused. */
  #blocks = 0;
  /** Holds everything back. */
  #isStalled = false;
  readonly #stalledPorts = new Set<number>();
  delayMs = 0;
  /** What goes this way is lost. */
  swallows: Direction | null = null;
  readonly bytes = { passed: 0, swallowed: 0, delayed: 0 };
  readonly #now: () => number = () => performance.now();

  /** `target`: the port to lead a new connection to; null: nobody is there. */
  constructor(target: () => number | null) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    this.block();
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#wires.size;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  set isStalled(isStalled: boolean) {
    this.#isStalled = isStalled;
    if (!isStalled) for (const wire of this.#wires) wire.pump();
  }

  /** Holds back what passes between clients and the server on a port, until the answered function is called. */
  stallFor(port: number): () => void {
    this.#stalledPorts.add(port);
    return () => {
      this.#stalledPorts.delete(port);
      for (const wire of this.#wires) wire.pump();
    };
  }

  isStalledFor(port: number): boolean {
    return this.#isStalled || this.#stalledPorts.has(port);
  }

  /** Parcels that are on their way, or held back. */
  get waiting(): number {
    return [...this.#wires].reduce((sum, wire) => sum + wire.waiting, 0);
  }

  /** Refuses new connections until the answered function is called. */
  block(): () => void {
    this.#blocks += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.#blocks -= 1;
      isOver = true;
    };
  }

  /** Answers how many connections it ended. */
  cut(): number {
    const count = this.#wires.size;
    for (const wire of this.#wires) wire.cut();
    this.#wires.clear();
    return count;
  }

  /** Ends the connections that lead to a port. */
  cutFrom(port: number): number {
    const wires = [...this.#wires].filter((wire) => wire.port === port);
    for (const wire of wires) {
      wire.cut();
      this.#wires.delete(wire);
    }
    return wires.length;
  }

  #accept(client: Socket): void {
    const port = this.#blocks > 0 ? null : this.#target();
    if (port === null) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const wire = new Wire(this, client, port, this.#now, () => this.#wires.delete(wire));
    this.#wires.add(wire);
  }
}

interface Parcel {
  /** Null: the end. */
  readonly chunk: Buffer | null;
  readonly dueAt: number;
}

class Wire {
  readonly port: number;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #ways: readonly Way[];

  constructor(proxy: TcpProxy, client: Socket, port: number, now: () => number, onEnded: () => void) {
    this.port = port;
    this.#client = client;
    this.#server = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#ways = [
      new Way(proxy, 'up', client, this.#server, port, now),
      new Way(proxy, 'down', this.#server, client, port, now),
    ];
    let open = 2;
    for (const socket of [client, this.#server]) {
      socket.on('error', () => this.cut());
      socket.on('close', () => {
        open -= 1;
        // What is still held back for the other side reaches it first.
        if (open === 0) onEnded();
      });
    }
  }

  get waiting(): number {
    return this.#ways.reduce((sum, way) => sum + way.waiting, 0);
  }

  pump(): void {
    for (const way of this.#ways) way.pump();
  }

  cut(): void {
    for (const way of this.#ways) way.stop();
    this.#client.destroy();
    this.#server.destroy();
  }
}

class Way {
  readonly #proxy: TcpProxy;
  readonly #direction: Direction;
  readonly #to: Socket;
  readonly #port: number;
  readonly #now: () => number;
  #parcels: Parcel[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(proxy: TcpProxy, direction: Direction, from: Socket, to: Socket, port: number, now: () => number) {
    this.#port = port;
    this.#proxy = proxy;
    this.#direction = direction;
    this.#to = to;
    this.#now = now;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.on('end', () => this.#push(null));
  }

  get waiting(): number {
    return this.#parcels.length;
  }

  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let parcel = this.#parcels[0]; parcel && !this.#proxy.isStalledFor(this.#port); parcel = this.#parcels[0]) {
      const waitMs = parcel.dueAt - this.#now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#parcels.shift();
      if (parcel.chunk === null) this.#to.end();
      else if (this.#to.writable) this.#to.write(parcel.chunk);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#parcels = [];
  }

  #take(chunk: Buffer): void {
    const { bytes, swallows, delayMs } = this.#proxy;
    if (swallows === this.#direction) {
      bytes.swallowed += chunk.length;
      return;
    }
    bytes.passed += chunk.length;
    if (delayMs > 0) bytes.delayed += chunk.length;
    this.#push(chunk);
  }

  #push(chunk: Buffer | null): void {
    this.#parcels.push({ chunk, dueAt: this.#now() + this.#proxy.delayMs });
    if (!this.#timer) this.pump();
  }
}
