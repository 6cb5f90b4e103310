import type { WireError } from '../../src/protocol/errors';
import type { ClientCredentials } from '../../src/protocol/schemas';
import type { WireClient } from './wire-client';

const RETRY_MS = 5;
const DEADLINE_MS = 15_000;

/** Keeps everything it ever wrote and sends it until the server has it, one operation at a time, doing what refusals say. */
export class StubbornAuthor {
  readonly sessionId: string;
  readonly refusals: string[] = [];
  readonly #operations: unknown[] = [];
  #client: WireClient;
  #credentials: ClientCredentials | undefined;
  /** How far the server has them, as far as is known. */
  #accepted = 0;

  private constructor(client: WireClient, sessionId: string) {
    this.#client = client;
    this.sessionId = sessionId;
  }

  static async join(client: WireClient, sessionId: string): Promise<StubbornAuthor> {
    const author = new StubbornAuthor(client, sessionId);
    await author.#join();
    return author;
  }

  get operations(): readonly unknown[] {
    return this.#operations;
  }

  /** Goes on over another connection, of another instance perhaps. */
  async moveTo(client: WireClient): Promise<void> {
    this.#client = client;
    await this.#join();
  }

  async write(...operations: unknown[]): Promise<void> {
    this.#operations.push(...operations);
    await this.#send();
  }

  /** Comes back as whoever was told to fork does, and sends what the history has lost. */
  async confirm(): Promise<void> {
    do {
      await this.#join();
      await this.#send();
      await this.#join();
    } while (this.#accepted < this.#operations.length);
  }

  async #send(): Promise<void> {
    const endsAt = performance.now() + DEADLINE_MS;
    while (this.#accepted < this.#operations.length) {
      const answer = await this.#client.ask('operation:submit', {
        sessionId: this.sessionId,
        clientSeq: this.#accepted + 1,
        operations: [this.#operations[this.#accepted]],
      });
      if (answer.status === 'ok') this.#accepted += 1;
      else await this.#obey(answer.error);
      if (performance.now() > endsAt)
        throw new Error(`not accepted in time; refused with ${this.refusals.slice(-5).join(', ')}`);
    }
  }

  async #join(): Promise<void> {
    const endsAt = performance.now() + DEADLINE_MS;
    for (;;) {
      const client = this.#credentials;
      const answer = await this.#client.ask('session:join', {
        sessionId: this.sessionId,
        ...(client ? { client } : {}),
      });
      if (answer.status === 'ok') {
        const { clientId, signature, lastClientSeq } = answer.client;
        this.#credentials = { clientId, signature };
        this.#accepted = lastClientSeq;
        return;
      }
      this.refusals.push(answer.error.code);
      if (answer.error.action === 'stop' || performance.now() > endsAt)
        throw new Error(`cannot join: ${JSON.stringify(answer.error)}`);
      await pauseMs(RETRY_MS);
    }
  }

  async #obey({ code, action, expected }: WireError): Promise<void> {
    this.refusals.push(code);
    switch (action) {
      case 'rejoin':
        return this.#join();
      case 'resend':
        if (expected !== undefined) this.#accepted = expected - 1;
        return pauseMs(RETRY_MS);
      case 'wait':
        return pauseMs(RETRY_MS);
      case 'rebase':
      case 'stop':
        throw new Error(`refused for good: ${code}`);
    }
  }
}

const pauseMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
