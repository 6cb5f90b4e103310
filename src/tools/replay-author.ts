import * as Y from 'yjs';
import type { FlowClient } from '../client/flow-client';
import type { FlowSession } from '../client/session';
import { applyEdit, FIELD, replicaIdOf, type Edit, type History } from './traces';

/** An edit by its author and its place among the author's edits, from 0. */
export interface EditId {
  readonly author: number;
  readonly ordinal: number;
}

interface RegisteredEdit extends EditId {
  readonly madeAt: number;
}

/** Every edit as it went to the server, so that whoever receives one knows whose it is and when it was made. */
export class EditRegister {
  /** By author and payload: two authors who delete the same character send the same bytes. */
  readonly #edits = new Map<string, RegisteredEdit>();
  readonly #authorOf = new Map<string, number>();
  readonly deliveryMs: number[] = [];
  readonly savedLagMs: number[] = [];
  /** Edits of which their author was told that they are saved, in the order in which it was told. */
  readonly saved: EditId[] = [];
  readonly problems: string[] = [];

  get size(): number {
    return this.#edits.size;
  }

  /** An author's session may be given a new client id when the server has forgotten the old one. */
  speaks(clientId: string, author: number): void {
    this.#authorOf.set(clientId, author);
  }

  made(payload: string, author: number, ordinal: number): void {
    const key = `${author}:${payload}`;
    if (this.#edits.has(key)) this.problem(`two edits are the same operation: author ${author}, edit ${ordinal}`);
    this.#edits.set(key, { author, ordinal, madeAt: performance.now() });
  }

  find(clientId: string, payload: unknown): RegisteredEdit | null {
    return this.#edits.get(`${this.#authorOf.get(clientId)}:${String(payload)}`) ?? null;
  }

  /** Somebody else has received it. */
  arrived(clientId: string, payload: unknown): void {
    const edit = this.find(clientId, payload);
    if (edit) this.deliveryMs.push(performance.now() - edit.madeAt);
  }

  /** Its author was told that it is saved. */
  savedAt(edit: EditId, lagMs: number): void {
    this.saved.push(edit);
    this.savedLagMs.push(lagMs);
  }

  problem(text: string): void {
    // A wrong replay goes wrong thousands of times; the first ones tell.
    if (this.problems.length < 20) this.problems.push(text);
  }
}

/** Operations an author may hold before it waits for the server. */
export const MAX_HELD = 1_024;
/** Edits made in one turn of the event loop at full speed. */
const EDITS_PER_TURN = 16;
/** How soon an author stops whose fellow has found something wrong. */
const PROBLEM_POLL_MS = 250;

/** One author of a history: makes its edits on exactly the document they were made on, and sends each as one operation. */
export class ReplayAuthor {
  readonly author: number;
  readonly doc = new Y.Doc();
  readonly session: FlowSession;
  readonly #client: FlowClient;
  readonly #register: EditRegister;
  readonly #hasAstral: boolean;
  /** Per author: their operations in order, as far as they came. */
  readonly #came: Uint8Array[][];
  /** Per author: how many of them the document holds. */
  readonly #holds: number[];
  #wake: () => void = () => {};

  constructor(
    client: FlowClient,
    sessionId: string,
    author: number,
    { authors, hasAstral }: History,
    register: EditRegister,
  ) {
    this.author = author;
    this.#hasAstral = hasAstral;
    this.doc.clientID = replicaIdOf(author);
    this.#client = client;
    this.#register = register;
    this.#came = Array.from({ length: authors }, () => []);
    this.#holds = Array.from({ length: authors }, () => 0);
    this.session = client.session(sessionId);
    this.session.on('entries', ({ entries }) => {
      for (const { clientId, operations } of entries)
        for (const operation of operations) this.#receive(clientId, operation);
      this.#wake();
    });
    this.session.on('saved', () => this.#wake());
    this.session.on('caught-up', () => register.speaks(this.session.clientId ?? '', author));
    this.session.on('reset', ({ snapshot }) => {
      if (snapshot) register.problem(`author ${author} was given a snapshot in the middle of a replay`);
    });
    this.session.on('status', (status) => {
      if (status.state === 'refused') register.problem(`author ${author} was refused: ${status.reason.message}`);
      this.#wake();
    });
  }

  /** Makes the edits in order; `perSecond` null: as fast as the server takes them. Ends early when something goes wrong anywhere. */
  async run(edits: readonly Edit[], perSecond: number | null): Promise<void> {
    const startedAt = performance.now();
    let ordinal = 0;
    for (const { patches, sees } of edits) {
      if (perSecond !== null) await until(startedAt + (ordinal * 1_000) / perSecond);
      else if (ordinal % EDITS_PER_TURN === 0) await nextTurn();
      const mayGoOn = await this.#waitFor(() => this.#hasCome(sees) && this.heldCount() < MAX_HELD);
      if (!mayGoOn) return;
      this.#apply(sees);
      this.#send(patches, ordinal);
      ordinal += 1;
    }
    await this.#waitFor(() => this.heldCount() === 0);
  }

  /** Waits for all there is of the others and applies it. */
  async finish(totals: readonly number[]): Promise<string> {
    const others = totals.map((total, author) => (author === this.author ? 0 : total));
    await this.#waitFor(() => this.#hasCome(others));
    this.#apply(others);
    return this.doc.getText(FIELD).toJSON();
  }

  /** Operations that are not known to be saved. */
  heldCount(): number {
    const { unsent, ordered } = this.session.counts;
    return unsent + ordered;
  }

  close(): void {
    this.session.close();
    this.#client.close();
    this.doc.destroy();
  }

  #send(patches: Edit['patches'], ordinal: number): void {
    let update: Uint8Array | null = null;
    const capture = (made: Uint8Array): void => {
      update = made;
    };
    this.doc.on('update', capture);
    applyEdit(this.doc, patches, this.#hasAstral);
    this.doc.off('update', capture);
    if (update === null) throw new Error(`Edit ${ordinal} of author ${this.author} changes nothing.`);
    const payload = Buffer.from(update).toString('base64');
    this.#register.made(payload, this.author, ordinal);
    const madeAt = performance.now();
    this.session
      .submit([payload])
      .whenSaved()
      .then(
        () => this.#register.savedAt({ author: this.author, ordinal }, performance.now() - madeAt),
        (fault: unknown) =>
          this.#register.problem(`edit ${ordinal} of author ${this.author} was not saved: ${String(fault)}`),
      );
  }

  /** After a rollback operations come again; what came before is not taken twice. */
  #receive(clientId: string, operation: unknown): void {
    const edit = this.#register.find(clientId, operation);
    if (!edit) return this.#register.problem(`author ${this.author} received an operation nobody made`);
    if (edit.author === this.author) return;
    const came = this.#came[edit.author];
    if (!came || edit.ordinal < came.length) return;
    if (edit.ordinal > came.length) {
      return this.#register.problem(
        `author ${this.author} received edit ${edit.ordinal} of ${edit.author} before ${came.length}`,
      );
    }
    came.push(Buffer.from(String(operation), 'base64'));
    this.#register.arrived(clientId, operation);
  }

  #hasCome(counts: readonly number[]): boolean {
    return counts.every((count, author) => author === this.author || (this.#came[author]?.length ?? 0) >= count);
  }

  #apply(counts: readonly number[]): void {
    counts.forEach((count, author) => {
      if (author === this.author) return;
      for (let held = this.#holds[author] ?? 0; held < count; held += 1) {
        const update = this.#came[author]?.[held];
        if (update) Y.applyUpdate(this.doc, update, this);
        this.#holds[author] = held + 1;
      }
    });
  }

  /** False: something went wrong before it was so. */
  async #waitFor(isSo: () => boolean): Promise<boolean> {
    while (!isSo()) {
      if (this.#register.problems.length > 0) return false;
      // Woken by what comes; looks by itself now and then for problems found elsewhere.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, PROBLEM_POLL_MS);
      });
    }
    return true;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(time: number): Promise<void> {
  const delayMs = time - performance.now();
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
}
