import { Samples } from '../harness/statistics';
import { askFlow, connectToFlow, isBatch, readBatch, submit } from './flow-editor';
import { atRandom } from './schedule';
import type { SocketIoLink } from './socket-io-link';
import { typedUpdates } from './typing';

interface Plot {
  readonly sessionId: string;
  /** The connection that types here. */
  readonly author: SocketIoLink;
  sent: number;
  /** When the edits of now were sent, by number: entries leave when the other connection has them. */
  readonly sentAt: Map<number, number>;
  /** What each of the two connections has received. */
  readonly received: Map<SocketIoLink, number>;
}

/** Joins and opens under way at a time: enough to keep the server busy, few enough to stay within its bounds. */
const PARALLEL = 50;
/** Edits differ only in that they are many; a thousand different ones do. */
const UPDATES = typedUpdates(1_000);

/** Many open sessions on few connections: one connection types in a session, its neighbour reads it too. */
export class SessionField {
  readonly #plots: Plot[] = [];
  readonly #links: SocketIoLink[] = [];
  #latencies = new Samples();
  #operations = 0;
  #windowBeganAt = Number.POSITIVE_INFINITY;

  /** `from`: the number of the first session, where there are others already. */
  async open(
    port: number,
    { sessions, connections, from = 0 }: { sessions: number; connections: number; from?: number },
  ): Promise<void> {
    const plots = new Map<string, Plot>();
    for (let index = 0; index < connections; index += 1) {
      const link = await connectToFlow(port, `user-${index}`);
      link.onEvent = (frame) => take(this, plots, link, frame);
      this.#links.push(link);
    }
    const openOne = async (index: number): Promise<void> => {
      const author = this.#links[index % connections];
      const reader = this.#links[(index + 1) % connections];
      if (!author || !reader) throw new Error('a field needs connections');
      const sessionId = `field-${from + index}`;
      const received = new Map([author, reader].map((link) => [link, 0]));
      const plot: Plot = { sessionId, author, sent: 0, sentAt: new Map(), received };
      plots.set(sessionId, plot);
      this.#plots.push(plot);
      await askFlow(author, 'session:create', { sessionId, format: 'yjs' });
      await askFlow(author, 'session:join', { sessionId });
      if (reader !== author) await askFlow(reader, 'session:join', { sessionId });
    };
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < sessions) await openOne(next++);
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  async type(load: { perSecond: number; durationMs: number }): Promise<void> {
    await atRandom(load, (due) => {
      const plot = this.#plots[Math.floor(Math.random() * this.#plots.length)];
      if (!plot) throw new Error('nothing is open');
      plot.sent += 1;
      plot.sentAt.set(plot.sent, due);
      submit(plot.author, plot.sessionId, plot.sent, UPDATES[plot.sent % UPDATES.length] ?? '');
      this.#operations += 1;
    });
  }

  beginWindow(): void {
    this.#latencies = new Samples();
    this.#operations = 0;
    this.#windowBeganAt = performance.now();
  }

  endWindow(): { operations: number; p50Ms: number; p99Ms: number } {
    return {
      operations: this.#operations,
      p50Ms: this.#latencies.percentile(0.5),
      p99Ms: this.#latencies.percentile(0.99),
    };
  }

  isComplete(): boolean {
    for (const { refusals } of this.#links)
      if (refusals[0] !== undefined) throw new Error(`an edit was refused: ${refusals[0]}`);
    return this.#plots.every(({ received, sent }) => [...received.values()].every((count) => count === sent));
  }

  close(): void {
    for (const link of this.#links) link.close();
  }

  delivered(plot: Plot, n: number, at: number): void {
    const sentAt = plot.sentAt.get(n);
    plot.sentAt.delete(n);
    if (sentAt !== undefined && sentAt >= this.#windowBeganAt) this.#latencies.add(at - sentAt);
  }
}

function take(field: SessionField, plots: ReadonlyMap<string, Plot>, link: SocketIoLink, frame: Buffer): void {
  const at = performance.now();
  if (!isBatch(frame)) return;
  const { sessionId, entries } = readBatch(frame);
  const plot = plots.get(sessionId);
  if (!plot) throw new Error(`nobody joined ${sessionId}`);
  for (const { seq } of entries) {
    if (seq !== (plot.received.get(link) ?? 0) + 1) throw new Error(`operation ${seq} came out of order`);
    plot.received.set(link, seq);
    if (link !== plot.author) field.delivered(plot, seq, at);
  }
}
