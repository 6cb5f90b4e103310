import type { ClientCredentials } from '../../src/protocol/schemas';
import type { WireClient } from './wire-client';

/** One submit, and what became of it. */
export interface Attempt {
  /** `performance.now()` when it was sent: the server received it then or later. */
  readonly sentAt: number;
  /** `ok`, or the code of the refusal. */
  readonly answer: string;
}

/** Types without pause, whatever it is answered, and notes what became of each stroke. Comes back whenever it was sent away. */
export class RestlessEditor {
  readonly attempts: Attempt[] = [];
  readonly #client: WireClient;
  readonly #sessionId: string;
  #identity: ClientCredentials | undefined;
  #clientSeq = 1;
  #isStopped = false;
  readonly #ended: Promise<void>;

  private constructor(client: WireClient, sessionId: string) {
    this.#client = client;
    this.#sessionId = sessionId;
    this.#ended = this.#type();
  }

  static start(client: WireClient, sessionId: string): RestlessEditor {
    return new RestlessEditor(client, sessionId);
  }

  /** Those sent after a moment. */
  after(moment: number): Attempt[] {
    return this.attempts.filter(({ sentAt }) => sentAt > moment);
  }

  /** Answers after a moment, each once. */
  answersAfter(moment: number): string[] {
    return [...new Set(this.after(moment).map(({ answer }) => answer))];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #type(): Promise<void> {
    let isIn = await this.#join();
    while (!this.#isStopped) {
      const sentAt = performance.now();
      const answer = await this.#client.ask('operation:submit', {
        sessionId: this.#sessionId,
        clientSeq: this.#clientSeq,
        operations: [`stroke ${this.attempts.length}`],
      });
      this.attempts.push({ sentAt, answer: answer.status === 'ok' ? 'ok' : answer.error.code });
      if (answer.status === 'ok') this.#clientSeq += 1;
      else if (answer.error.expected !== undefined) this.#clientSeq = answer.error.expected;
      else if (answer.error.action === 'rejoin') isIn = false;
      if (!isIn) isIn = await this.#join();
    }
  }

  async #join(): Promise<boolean> {
    const answer = await this.#client.ask('session:join', {
      sessionId: this.#sessionId,
      ...(this.#identity ? { client: this.#identity } : {}),
    });
    if (answer.status !== 'ok') return false;
    const { lastClientSeq, ...identity } = answer.client;
    this.#identity = identity;
    this.#clientSeq = lastClientSeq + 1;
    return true;
  }
}
