import { io, type Socket } from 'socket.io-client';
import type { WireError } from '../../src/protocol/errors';
import type {
  Acknowledgement,
  AnnouncementName,
  Announcements,
  Replies,
  RequestInputs,
  RequestName,
} from '../../src/protocol/schemas';

/** Generous: a deadline is there so that a failing test says what it waited for. */
const DEADLINE_MS = 10_000;
const ANNOUNCEMENTS: readonly AnnouncementName[] = [
  'auth:expires',
  'auth:ended',
  'operation:batch',
  'operation:saved',
  'operation:answer',
  'session:forked',
  'session:participants',
  'session:renamed',
  'session:role',
  'session:closed',
  'awareness:update',
  'server:draining',
];

export interface WireClientOptions {
  /** The name, in open mode. */
  readonly user?: string;
  /** Everything the handshake says, when it is not just a name. */
  readonly auth?: Record<string, unknown>;
  /** Of the request that becomes the WebSocket. */
  readonly headers?: Record<string, string>;
}

export interface Heard<Name extends AnnouncementName = AnnouncementName> {
  readonly name: Name;
  readonly payload: Announcements[Name];
}

interface Waiter {
  readonly accept: (heard: Heard) => boolean;
  readonly done: (heard: Heard) => void;
}

/** A stock Socket.IO client that keeps everything it hears from the moment it exists. */
export class WireClient {
  readonly socket: Socket;
  /** Everything, in the order in which it came. */
  readonly heard: Heard[] = [];
  #unread: Heard[] = [];
  readonly #waiters = new Set<Waiter>();
  #goneBecause: string | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    for (const name of ANNOUNCEMENTS) {
      socket.on(name as string, (payload: Heard['payload']) => this.#hear({ name, payload }));
    }
    socket.on('disconnect', (reason) => {
      this.#goneBecause = reason;
    });
  }

  /** Connected, or rejected with what the server said. */
  static connect(url: string, { user, auth, headers }: WireClientOptions = {}): Promise<WireClient> {
    const socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      ...(headers ? { extraHeaders: headers } : {}),
      auth: auth ?? (user === undefined ? {} : { token: user }),
    });
    const client = new WireClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(client));
      socket.once('connect_error', (fault) => {
        socket.close();
        reject(fault);
      });
      socket.connect();
    });
  }

  get connectionId(): string {
    return this.socket.id ?? '';
  }

  /** The next announcement of this name that nobody has taken yet (and that is like this). */
  async next<Name extends AnnouncementName>(
    name: Name,
    isWanted: (payload: Announcements[Name]) => boolean = () => true,
    deadlineMs = DEADLINE_MS,
  ): Promise<Announcements[Name]> {
    const accept = (heard: Heard): boolean => heard.name === name && isWanted(heard.payload as Announcements[Name]);
    const index = this.#unread.findIndex(accept);
    if (index >= 0) return this.#unread.splice(index, 1)[0]?.payload as Announcements[Name];
    const heard = await this.#wait(accept, `no ${name} within ${deadlineMs} ms`, deadlineMs);
    return heard.payload as Announcements[Name];
  }

  /** What was announced under this name so far. */
  all<Name extends AnnouncementName>(name: Name): Array<Announcements[Name]> {
    return this.heard.filter((heard) => heard.name === name).map(({ payload }) => payload as Announcements[Name]);
  }

  /** The acknowledgement, ok or error. */
  ask<Name extends RequestName>(name: Name, payload: RequestInputs[Name]): Promise<Acknowledgement<Name>> {
    return this.askAnything(name, payload) as Promise<Acknowledgement<Name>>;
  }

  /** The same for what no client should send. */
  askAnything(name: string, ...payload: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#emit(name, payload, resolve, reject);
    });
  }

  /** The reply; a refusal fails the test. */
  async demand<Name extends RequestName>(name: Name, payload: RequestInputs[Name]): Promise<Replies[Name]> {
    const answer = await this.ask(name, payload);
    if (answer.status === 'ok') return answer;
    throw new Error(`${name} was refused: ${JSON.stringify(answer.error)}`);
  }

  /** The refusal; a reply fails the test. */
  async refusal<Name extends RequestName>(name: Name, payload: RequestInputs[Name]): Promise<WireError> {
    const answer = await this.ask(name, payload);
    if (answer.status === 'error') return answer.error;
    throw new Error(`${name} was not refused: ${JSON.stringify(answer).slice(0, 500)}`);
  }

  /** `onReply` runs in the turn in which the acknowledgement comes, before anything that was sent after it. */
  demandThen<Name extends RequestName>(
    name: Name,
    payload: RequestInputs[Name],
    onReply: (reply: Replies[Name]) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAnswer = (answer: Acknowledgement<Name>): void => {
        if (answer.status === 'error') return reject(new Error(`${name} was refused: ${JSON.stringify(answer.error)}`));
        try {
          onReply(answer);
          resolve();
        } catch (fault) {
          reject(fault instanceof Error ? fault : new Error(String(fault)));
        }
      };
      this.#emit(name, [payload], (answer) => onAnswer(answer as Acknowledgement<Name>), reject);
    });
  }

  /** A round trip: what the server had sent before it was asked is here afterwards. Proves absence. */
  async fence(): Promise<void> {
    await this.askAnything('test:fence', {});
  }

  /** Why the connection ended, once it has. */
  async gone(deadlineMs = DEADLINE_MS): Promise<string> {
    if (this.#goneBecause !== undefined) return this.#goneBecause;
    return new Promise((resolve, reject) => {
      const overdue = setTimeout(
        () => reject(new Error(`still connected after ${deadlineMs} ms; ${this.#summary()}`)),
        deadlineMs,
      );
      this.socket.once('disconnect', (reason) => {
        clearTimeout(overdue);
        resolve(reason);
      });
    });
  }

  close(): void {
    this.socket.disconnect();
  }

  #emit(name: string, payload: unknown[], onAnswer: (answer: unknown) => void, onFault: (fault: Error) => void): void {
    const give = (fault: Error): void => {
      clearTimeout(overdue);
      this.socket.off('disconnect', onDisconnect);
      onFault(fault);
    };
    const onDisconnect = (reason: string): void => give(new Error(`${name} was not answered: ${reason}`));
    const overdue = setTimeout(() => give(new Error(`${name} was not answered; ${this.#summary()}`)), DEADLINE_MS);
    this.socket.once('disconnect', onDisconnect);
    this.socket.emit(name, ...payload, (answer: unknown) => {
      clearTimeout(overdue);
      this.socket.off('disconnect', onDisconnect);
      onAnswer(answer);
    });
  }

  #hear(heard: Heard): void {
    this.heard.push(heard);
    for (const waiter of this.#waiters) {
      if (!waiter.accept(heard)) continue;
      this.#waiters.delete(waiter);
      waiter.done(heard);
      return;
    }
    this.#unread.push(heard);
  }

  #wait(accept: Waiter['accept'], failure: string, deadlineMs: number): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        accept,
        done: (heard) => {
          clearTimeout(overdue);
          resolve(heard);
        },
      };
      const overdue = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`${failure}; ${this.#summary()}`));
      }, deadlineMs);
      this.#waiters.add(waiter);
    });
  }

  #summary(): string {
    const counts = new Map<string, number>();
    for (const { name } of this.heard) counts.set(name, (counts.get(name) ?? 0) + 1);
    const heard = [...counts].map(([name, count]) => `${count} × ${name}`).join(', ') || 'nothing';
    const last = this.heard.slice(-3).map((one) => JSON.stringify(one).slice(0, 200));
    return `heard so far: ${heard}; last: ${last.join(' | ')}; ${this.#goneBecause ?? 'connected'}`;
  }
}
