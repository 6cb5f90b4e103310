import type { FlowClient } from '../../../src/client/flow-client';
import type { Dice } from './dice';
import { BrowserStorage, type TabStorage } from './tab-storage';
import type { TcpProxy } from './tcp-proxy';
import type { Trace } from './trace';
import { idsInRecord, Proposer, Submitter, YjsWriter, type Authorship, type Writer, type WriterKind } from './writers';
import type { Format } from '../../../src/protocol/schemas';
import type { FlowYjsProvider } from '../../../src/client/yjs-provider';

interface AuthorOptions {
  readonly name: string;
  readonly kind: Exclude<WriterKind, 'yjs'>;
  readonly proxy: TcpProxy;
  readonly sessions: ReadonlyArray<{ readonly format: Format; readonly authorship: Authorship }>;
  readonly FlowClient: typeof FlowClient;
  readonly FlowYjsProvider: typeof FlowYjsProvider;
  readonly dice: Dice;
  readonly trace: Trace;
}

/** Quick enough for a schedule of seconds. */
const BACKOFF = { firstMs: 10, ceilingMs: 80 };
const DEADLINE_MS = 4_000;

/** Somebody who writes: a tab with the library on a line of its own, which may crash and be opened again. */
export class Author {
  readonly name: string;
  readonly proxy: TcpProxy;
  readonly #options: AuthorOptions;
  readonly #browser: BrowserStorage;
  #tab: TabStorage;
  #client: FlowClient;
  #writers: readonly Writer[];
  #isReloading = false;

  constructor(options: AuthorOptions) {
    this.name = options.name;
    this.proxy = options.proxy;
    this.#options = options;
    this.#browser = new BrowserStorage(options.dice.for('storage'));
    this.#tab = this.#browser.openTab();
    this.#client = this.#connect();
    this.#writers = this.#open();
  }

  get writers(): readonly Writer[] {
    return this.#writers;
  }

  clientIdIn(sessionId: string): string | null {
    return this.#writers.find(({ session }) => session.sessionId === sessionId)?.session.clientId ?? null;
  }

  get isReader(): boolean {
    return this.#options.kind === 'reads';
  }

  get canReload(): boolean {
    return this.#options.kind !== 'proposes';
  }

  get written(): number {
    return this.#options.sessions.reduce((sum, { authorship }) => sum + authorship.written, 0);
  }

  get isSettled(): boolean {
    return !this.#isReloading && this.#writers.every(({ isSettled }) => isSettled);
  }

  /** Answers how many operations were written. */
  write(session: number, count: number): number {
    const writer = this.#writers[session];
    if (!writer || this.#isReloading || this.#options.kind === 'reads') return 0;
    writer.write(count);
    return count;
  }

  /** The tab crashes and is opened again: what it had stored is found, what it had not is lost. */
  async reload(): Promise<void> {
    const { trace, sessions } = this.#options;
    this.#isReloading = true;
    this.#tab.crash();
    this.proxy.cut();
    const reached = sessions.map(({ authorship }) => authorship.written);
    this.#close();
    for (const [index, { authorship }] of sessions.entries()) {
      const { author, sessionId, ledger, forgiven } = authorship;
      const kept = new Set(idsInRecord(await this.#browser.record(sessionId)));
      for (let number = 1; number <= (reached[index] ?? 0); number += 1) {
        const id = `${author}.${number}`;
        if (!kept.has(id) && !ledger.ids.has(id)) forgiven.add(id);
      }
      trace.note(`${this.name} reloads, ${kept.size} operations of ${sessionId} kept`);
    }
    this.#tab = this.#browser.openTab();
    this.#client = this.#connect();
    this.#writers = this.#open();
    this.#isReloading = false;
  }

  /** What stands between this author and everything being well, for people. */
  describe(): string {
    const sessions = this.#writers.map(({ session }) => {
      const { status, counts, head } = session;
      const reason =
        'reason' in status
          ? ` (${String(status.reason instanceof Error ? status.reason.message : status.reason)})`
          : '';
      return `${session.sessionId} ${status.state}${reason} at ${head.seq}, ${counts.unsent} unsent, ${counts.ordered} ordered`;
    });
    return `${this.name}: ${sessions.join('; ')}`;
  }

  close(): void {
    this.#close();
  }

  #close(): void {
    for (const writer of this.#writers) writer.close();
    this.#client.close();
  }

  #connect(): FlowClient {
    const { FlowClient, proxy, dice, name } = this.#options;
    return new FlowClient({
      url: `http://127.0.0.1:${proxy.port}`,
      token: name,
      backoff: BACKOFF,
      connectDeadlineMs: DEADLINE_MS,
      requestDeadlineMs: DEADLINE_MS,
      storage: this.#tab,
      locks: this.#tab,
      random: dice.for('client').random,
    });
  }

  #open(): readonly Writer[] {
    const { sessions, kind, FlowYjsProvider } = this.#options;
    return sessions.map(({ format, authorship }) => {
      if (format === 'yjs') return new YjsWriter(this.#client, authorship, { FlowYjsProvider });
      return kind === 'proposes' ? new Proposer(this.#client, authorship) : new Submitter(this.#client, authorship);
    });
  }
}
