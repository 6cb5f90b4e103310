import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to hints on their way to an instance. */
type HintFate = 'pass' | 'lose' | 'double and reorder';

/** A command that was caught on its way: it and what follows it on its connection waits until it is let go. */
export interface CaughtCommand {
  /** As it goes over the wire. */
  readonly text: string;
  /** Resolves with the reply, as it goes over the wire. */
  letGo(): Promise<string>;
}

/** Channels of hints, as the product names them. */
const HINT = /^>3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*:live\r\n/;
const HINT_HEAD_BYTES = 256;

/** A line from one instance to its Redis that understands what passes: loses, doubles and reorders hints, and catches commands. */
export class RedisLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #catching: { isIt: (command: string) => boolean; caught: (command: CaughtCommand) => void } | undefined;
  /** Where the line leads; a new connection goes there. */
  target: number;
  hints: HintFate = 'pass';
  readonly counts = { passed: 0, lost: 0, doubled: 0, reordered: 0 };

  static async start(target: number): Promise<RedisLine> {
    const line = new RedisLine(target);
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer({ noDelay: true }, (client) => this.#join(client));
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends what is connected; answers how many connections that were. */
  cut(): number {
    const count = this.#sockets.size / 2;
    for (const socket of this.#sockets) socket.destroy();
    return count;
  }

  /** Holds back the next command that fits. */
  holdBack(isIt: (command: string) => boolean, caught: (command: CaughtCommand) => void): void {
    this.#catching = { isIt, caught };
  }

  holdBackNothing(): void {
    this.#catching = undefined;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    let late: Buffer | undefined;
    let onReply: ((reply: string) => void) | undefined;
    const down = new Frames((frame) => {
      onReply?.(frame.toString('latin1'));
      onReply = undefined;
      late = this.#reply(frame, client, late);
    });
    const up = new Frames((frame) => {
      const letGo = (): Promise<string> =>
        new Promise((resolve) => {
          // Everything before it was answered while it waited.
          onReply = resolve;
          server.write(frame);
          up.resume();
        });
      if (this.#isCaught(frame, letGo)) up.pause();
      else server.write(frame);
    });
    const ends: Array<[Socket, Socket, Frames]> = [
      [client, server, up],
      [server, client, down],
    ];
    for (const [from, to, frames] of ends) {
      this.#sockets.add(from);
      from.on('data', (chunk: Buffer) => frames.take(chunk));
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #isCaught(frame: Buffer, letGo: CaughtCommand['letGo']): boolean {
    const catching = this.#catching;
    if (!catching) return false;
    const text = frame.toString('latin1');
    if (!catching.isIt(text)) return false;
    this.#catching = undefined;
    catching.caught({ text, letGo });
    return true;
  }

  /** Answers the hint that is still to come after a later one. */
  #reply(frame: Buffer, client: Socket, late: Buffer | undefined): Buffer | undefined {
    if (!HINT.test(frame.toString('latin1', 0, HINT_HEAD_BYTES))) {
      client.write(frame);
      return late;
    }
    switch (this.hints) {
      case 'pass':
        this.counts.passed += 1;
        client.write(frame);
        return late;
      case 'lose':
        this.counts.lost += 1;
        return undefined;
      case 'double and reorder':
        if (!late) return frame;
        this.counts.doubled += 1;
        this.counts.reordered += 1;
        client.write(Buffer.concat([frame, late, frame]));
        return undefined;
    }
  }
}

/** Cuts a stream of RESP into whole replies or commands. */
class Frames {
  readonly #onFrame: (frame: Buffer) => void;
  #buffer: Buffer = Buffer.alloc(0);
  #isPaused = false;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  take(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    this.#drain();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#drain();
  }

  #drain(): void {
    while (!this.#isPaused) {
      const end = endOfFrame(this.#buffer, 0);
      if (end < 0) return;
      const frame = this.#buffer.subarray(0, end);
      this.#buffer = this.#buffer.subarray(end);
      this.#onFrame(frame);
    }
  }
}

/** Where the reply or command that begins at `from` ends; -1: not all of it is there. */
function endOfFrame(buffer: Buffer, from: number): number {
  const lineEnd = buffer.indexOf('\r\n', from);
  if (lineEnd < 0) return -1;
  const kind = String.fromCharCode(buffer[from] ?? 0);
  const next = lineEnd + 2;
  const count = Number(buffer.toString('latin1', from + 1, lineEnd));
  if ('$=!'.includes(kind)) {
    const end = count < 0 ? next : next + count + 2;
    return end <= buffer.length ? end : -1;
  }
  const children = '*~>'.includes(kind) ? count : kind === '%' ? 2 * count : kind === '|' ? 2 * count + 1 : 0;
  let end = next;
  for (let child = 0; child < children && end >= 0; child += 1) end = endOfFrame(buffer, end);
  return end;
}
