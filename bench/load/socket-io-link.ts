import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from '../harness/deadline';

/** Handshakes come thousands at a time, and requests may have a large document as their answer. */
const DEADLINE_MS = 60_000;

const PACKET = { ping: 0x32, message: 0x34, event: 0x32, acknowledgement: 0x33 } as const;
const PONG = '3';
/** Longest prefix in which an acknowledgement says its id. */
const MAX_ID_BYTES = 20;
/** What no batch will confirm: of an edit that nobody wanted acknowledged, a refusal. */
const ANSWER = Buffer.from('42["operation:answer"');

/**
 * A Socket.IO connection by hand: as little work per frame as the relay's plain WebSocket, so that the load costs the same
 * whatever it is put on, and frames nobody looks into are not decoded.
 */
export class SocketIoLink {
  /** Called with every event, as it came: `42["name",…]`. */
  onEvent: (frame: Buffer) => void = () => {};
  /** Frames and bytes of the WebSocket's payload that came in. */
  frames = 0;
  bytes = 0;
  /** Edits that were refused. */
  readonly refusals: string[] = [];
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: unknown) => void>();
  #ids = 0;

  static async connect(port: number, auth: object): Promise<SocketIoLink> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
    await within(DEADLINE_MS, 'the Engine.IO handshake', once(socket, 'message'));
    socket.send(`40${JSON.stringify(auth)}`);
    const [answer] = await within(DEADLINE_MS, 'the Socket.IO handshake', once(socket, 'message'));
    if (!String(answer).startsWith('40')) throw new Error(`not let in: ${String(answer)}`);
    return new SocketIoLink(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (frame: Buffer) => this.#take(frame));
  }

  /** Sends an event and waits for its acknowledgement. */
  request(name: string, body: unknown): Promise<unknown> {
    const id = (this.#ids += 1);
    const answered = new Promise<unknown>((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(`42${id}${JSON.stringify([name, body])}`);
    return within(DEADLINE_MS, `the answer to ${name}`, answered);
  }

  /** Sends an event without wanting an acknowledgement. `body` is JSON text. */
  emit(name: string, body: string): void {
    this.#socket.send(`42["${name}",${body}]`);
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(frame: Buffer): void {
    this.frames += 1;
    this.bytes += frame.length;
    if (frame[0] === PACKET.ping) return this.#socket.send(PONG);
    if (frame[0] !== PACKET.message) return;
    if (frame[1] === PACKET.acknowledgement) return this.#acknowledged(frame);
    if (frame.subarray(0, ANSWER.length).equals(ANSWER)) this.refusals.push(frame.toString('utf8', 2));
    this.onEvent(frame);
  }

  #acknowledged(frame: Buffer): void {
    const id = Number.parseInt(frame.toString('latin1', 2, MAX_ID_BYTES), 10);
    this.#answers.get(id)?.(JSON.parse(frame.toString('utf8', 2 + String(id).length))[0]);
    this.#answers.delete(id);
  }
}
