import type { FlowSession } from '../../../src/client/session';
import type { Delivery, SessionEvents } from '../../../src/client/session-events';
import { gapsOf, TokenLedger } from './tokens';

/** A change of the editor as it travels. */
export interface WireChange {
  readonly clientID: string;
  readonly change: unknown;
}

/** A change behind the base of a fork: of the old history, or local. */
export interface ForkedChange<Change> {
  readonly change: Change;
  /** To be kept as a local change: it is ours and the new history does not have it. */
  readonly isMine: boolean;
}

interface Confirmed<Change> {
  readonly author: string;
  readonly change: Change;
  readonly seq: number;
  /** Of the entry it came in. */
  readonly key: string;
}

interface Fork<Change> {
  baseSeq: number;
  /** Everything behind the base as it was, in order: entries that were taken back, then what was local. */
  changes: Array<{ author: string; change: Change; key: string | null }>;
  /** What of ours the new history turned out to have. */
  readonly kept: Set<string>;
  /** Local changes, from the first, that turned out to have been accepted. */
  keptLocal: number;
}

/** The deterministic heart of an editor that rebases its own changes, such as CodeMirror's and ProseMirror's collab modules. */
export interface RebasingEditor<Change> {
  readonly text: string;
  insert(offset: number, text: string): void;
  remove(from: number, to: number): void;
  /** Local changes that are not confirmed, oldest first. */
  unconfirmed(): Change[];
  /** Takes in confirmed changes; those of this author confirm its oldest local ones. */
  receive(changes: ReadonlyArray<{ author: string; change: Change }>): void;
  /** Goes back to the document after `confirmed`, with no local change. */
  restart(confirmed: readonly Change[]): void;
  /** From the document after `base`: what of `forked` is mine becomes local changes behind `confirmed`. */
  rebase(base: readonly Change[], forked: ReadonlyArray<ForkedChange<Change>>, confirmed: readonly Change[]): void;
  toWire(change: Change): unknown;
  fromWire(change: unknown): Change;
}

/** An author whose editor rebases, on a session, as an application would write it: local changes are proposed at the head. */
export class RebasingAuthor<Change> {
  readonly ledger: TokenLedger;
  readonly session: FlowSession;
  readonly #editor: RebasingEditor<Change>;
  readonly #random: () => number;
  #confirmed: Array<Confirmed<Change>> = [];
  #fork: Fork<Change> | null = null;
  #isPushing = false;
  forks = 0;
  stale = 0;

  constructor(name: string, session: FlowSession, editor: RebasingEditor<Change>, random: () => number) {
    this.ledger = new TokenLedger(name);
    this.session = session;
    this.#editor = editor;
    this.#random = random;
    session.on('entries', (delivery) => this.#receive(delivery));
    session.on('fork', (fork) => this.#takeBack(fork));
    session.on('caught-up', () => this.#caughtUp());
  }

  get text(): string {
    return this.#editor.text;
  }

  get hasUnconfirmed(): boolean {
    return this.#editor.unconfirmed().length > 0;
  }

  edit(): void {
    // While the history is being told anew, the editor is read-only.
    if (this.#fork) return;
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
    if (this.#isPushing || changes.length === 0 || !this.session.isLive || this.#fork) return;
    this.#isPushing = true;
    const clientID = this.ledger.author;
    this.session
      .propose(changes.map((change): WireChange => ({ clientID, change: this.#editor.toWire(change) })), this.session.head)
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
    const fork = this.#fork;
    const received = entries.flatMap(({ operations, clientId, clientSeq, seq, origin }) => {
      const key = `${clientId}:${clientSeq}`;
      const changes = operations.map((operation) => {
        const { clientID, change } = operation as WireChange;
        return { author: clientID, change: this.#editor.fromWire(change), seq, key };
      });
      if (fork && origin === 'own' && !fork.changes.some((change) => change.key === key)) fork.keptLocal += changes.length;
      if (fork) fork.kept.add(key);
      return changes;
    });
    this.#confirmed.push(...received);
    if (fork) this.#editor.restart(this.#confirmed.map(({ change }) => change));
    else this.#editor.receive(received);
  }

  /** What is ours is put aside until it is known what the new history has of it. */
  #takeBack({ base, rolledBack }: SessionEvents['fork']): void {
    this.forks += 1;
    const count = rolledBack.reduce((sum, { operations }) => sum + operations.length, 0);
    const taken = this.#confirmed.splice(this.#confirmed.length - count);
    if (this.#fork) {
      const earlier = taken.filter(({ seq }) => seq <= (this.#fork?.baseSeq ?? 0));
      this.#fork.changes.unshift(...earlier);
      this.#fork.baseSeq = Math.min(this.#fork.baseSeq, base.seq);
      for (const { key } of taken) this.#fork.kept.delete(key);
    } else {
      const author = this.ledger.author;
      const local = this.#editor.unconfirmed().map((change) => ({ author, change, key: null }));
      this.#fork = { baseSeq: base.seq, changes: [...taken, ...local], kept: new Set(), keptLocal: 0 };
    }
    this.#editor.restart(this.#confirmed.map(({ change }) => change));
  }

  #caughtUp(): void {
    const fork = this.#fork;
    this.#fork = null;
    if (fork) {
      let locals = 0;
      const forked = fork.changes.map(({ author, change, key }) => {
        const isKept = key === null ? locals++ < fork.keptLocal : fork.kept.has(key);
        return { change, isMine: author === this.ledger.author && !isKept };
      });
      const base = this.#confirmed.filter(({ seq }) => seq <= fork.baseSeq).map(({ change }) => change);
      this.#editor.rebase(base, forked, this.#confirmed.slice(base.length).map(({ change }) => change));
    }
    this.#push();
  }
}
