import type { FlowSession } from '../../../src/client/session';
import type { Delivery, SessionEvents } from '../../../src/client/session-events';
import { gapsOf, TokenLedger } from './tokens';

/** A change of an editor and who made it, as it travels. */
export interface WireChange {
  readonly clientID: string;
  readonly change: unknown;
}

export interface Authored<Change> {
  readonly author: string;
  readonly change: Change;
}

/** The deterministic heart of an editor that rebases its own changes, such as CodeMirror's and ProseMirror's collab modules. */
export interface RebasingEditor<Change> {
  readonly text: string;
  insert(offset: number, text: string): void;
  remove(from: number, to: number): void;
  /** Local changes that are not confirmed, oldest first. */
  unconfirmed(): Change[];
  /** Takes in confirmed changes; those of this author confirm its oldest local ones. */
  receive(changes: ReadonlyArray<Authored<Change>>): void;
  /** Back to the document after `confirmed`; of what came behind it, confirmed or local, the own changes are local changes. */
  fork(confirmed: readonly Change[], behind: ReadonlyArray<Authored<Change>>): void;
  toWire(change: Change): unknown;
  fromWire(change: unknown): Change;
}

/** An author whose editor rebases, on a session, as an application would write it: local changes are proposed at the head. */
export class RebasingAuthor<Change> {
  readonly ledger: TokenLedger;
  readonly session: FlowSession;
  readonly #editor: RebasingEditor<Change>;
  readonly #random: () => number;
  /** Kept to be able to go back in a fork. */
  readonly #confirmed: Array<Authored<Change>> = [];
  #isPushing = false;
  forks = 0;
  stale = 0;

  constructor(name: string, session: FlowSession, editor: RebasingEditor<Change>, random: () => number) {
    this.ledger = new TokenLedger(name);
    this.session = session;
    this.#editor = editor;
    this.#random = random;
    session.on('entries', (delivery) => this.#receive(delivery));
    session.on('fork', (fork) => this.#fork(fork));
    session.on('caught-up', () => this.#push());
  }

  get text(): string {
    return this.#editor.text;
  }

  get hasUnconfirmed(): boolean {
    return this.#editor.unconfirmed().length > 0;
  }

  edit(): void {
    const { text } = this;
    const own = this.ledger.own(text);
    const token = own[Math.floor(this.#random() * own.length)];
    if (token !== undefined && this.#random() < 0.3) {
      this.ledger.deleted.add(token);
      const from = text.indexOf(token);
      this.#editor.remove(from, from + token.length);
    } else {
      const gaps = gapsOf(text);
      this.#editor.insert(gaps[Math.floor(this.#random() * gaps.length)] ?? 0, this.ledger.write());
    }
    this.#push();
  }

  #push(): void {
    const changes = this.#editor.unconfirmed();
    if (this.#isPushing || changes.length === 0 || !this.session.isLive) return;
    this.#isPushing = true;
    const clientID = this.ledger.author;
    this.session
      .propose(
        changes.map((change): WireChange => ({ clientID, change: this.#editor.toWire(change) })),
        this.session.head,
      )
      .then(({ status }) => {
        if (status === 'stale') this.stale += 1;
      })
      .finally(() => {
        this.#isPushing = false;
        this.#push();
      })
      .catch(() => {});
  }

  #receive({ entries }: Delivery): void {
    const received = entries.flatMap(({ operations }) =>
      operations.map((operation): Authored<Change> => {
        const { clientID, change } = operation as WireChange;
        return { author: clientID, change: this.#editor.fromWire(change) };
      }),
    );
    this.#confirmed.push(...received);
    this.#editor.receive(received);
  }

  #fork({ rolledBack }: SessionEvents['fork']): void {
    this.forks += 1;
    const count = rolledBack.reduce((sum, { operations }) => sum + operations.length, 0);
    const taken = this.#confirmed.splice(this.#confirmed.length - count);
    const { author } = this.ledger;
    const local = this.#editor.unconfirmed().map((change) => ({ author, change }));
    this.#editor.fork(
      this.#confirmed.map(({ change }) => change),
      [...taken, ...local],
    );
  }
}
