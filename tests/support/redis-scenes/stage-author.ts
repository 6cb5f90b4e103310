import type { ClientCredentials, RequestInputs } from '../../../src/protocol/schemas';
import type { TestServer } from '../server';
import type { WireClient } from '../wire-client';

/** What somebody was told of an operation of theirs: it has this place. */
export interface Placed {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Somebody who writes operations named `<name>.<number>`, keeps them all, and does nothing unless a scene says so. */
export class StageAuthor {
  readonly name: string;
  readonly placed: Placed[] = [];
  /** The last one it heard of when it joined. */
  epoch = 0;
  readonly #sessionId: string;
  #written = 0;
  #client: WireClient | undefined;
  #credentials: ClientCredentials | undefined;

  constructor(name: string, sessionId: string) {
    this.name = name;
    this.#sessionId = sessionId;
  }

  get ids(): readonly string[] {
    return Array.from({ length: this.#written }, (_, index) => this.#idOf(index + 1));
  }

  async join(server: TestServer): Promise<void> {
    if (!(await this.tryToJoin(server))) throw new Error(`${this.name} was not let in`);
  }

  /** On a connection of its own, as who it was before. False: it was refused. */
  async tryToJoin(server: TestServer, have?: RequestInputs['session:join']['have']): Promise<boolean> {
    this.leave();
    const client = await server.connect({ user: this.name });
    const answer = await client.ask('session:join', {
      sessionId: this.#sessionId,
      ...(this.#credentials ? { client: this.#credentials } : {}),
      ...(have ? { have } : {}),
    });
    if (answer.status !== 'ok') {
      client.close();
      return false;
    }
    const { clientId, signature } = answer.client;
    this.#credentials = { clientId, signature };
    this.#client = client;
    this.epoch = answer.head.epoch;
    return true;
  }

  leave(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** One operation more. False: it was refused, or nobody answers. */
  write(): Promise<boolean> {
    this.#written += 1;
    return this.#send(this.#written);
  }

  /** Sends everything again, one after the other. Answers whether all of it is accepted; if not, it joins anew the next time. */
  async resend(server: TestServer): Promise<boolean> {
    if (!this.#client && !(await this.tryToJoin(server))) return false;
    for (let number = 1; number <= this.#written; number += 1) {
      if (await this.#send(number)) continue;
      this.leave();
      return false;
    }
    return true;
  }

  async #send(number: number): Promise<boolean> {
    const id = this.#idOf(number);
    if (!this.#client?.socket.connected) return false;
    const batch = { sessionId: this.#sessionId, clientSeq: number, operations: [{ id }] };
    const answer = await this.#client.ask('operation:submit', batch).catch(() => undefined);
    if (answer?.status !== 'ok') return false;
    if (!answer.duplicate) this.placed.push({ id, epoch: answer.epoch, seq: answer.seq });
    return true;
  }

  #idOf(number: number): string {
    return `${this.name}.${number}`;
  }
}
