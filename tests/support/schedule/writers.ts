import * as Y from 'yjs';
import type { FlowClient } from '../../../src/client/flow-client';
import type { FlowSession } from '../../../src/client/session';
import type { FlowYjsProvider } from '../../../src/client/yjs-provider';
import type { QueueRecord } from '../../../src/client/stored-queue';
import { DeliveryRecord, idOf } from './delivery-record';
import type { Dice } from './dice';
import type { SavedLedger } from './saved-ledger';
import type { Trace } from './trace';

export type WriterKind = 'submits' | 'proposes' | 'yjs' | 'reads';

/** What the lives of an author's tab have in common, per session. */
export interface Authorship {
  readonly sessionId: string;
  readonly author: string;
  readonly ledger: SavedLedger;
  readonly trace: Trace;
  readonly dice: Dice;
  /** Operations written so far. */
  written: number;
  /** Operations that were lost with a crashed tab before it had stored them: they may be missing, not doubled. */
  readonly forgiven: Set<string>;
  /** Of proposals: every tag an operation was proposed behind. */
  readonly bases: Map<string, Set<string>>;
}

/** One session in one tab, and somebody who writes in it. */
export interface Writer {
  readonly session: FlowSession;
  readonly record: DeliveryRecord;
  write(count: number): void;
  /** Nothing written here waits for anything. */
  readonly isSettled: boolean;
  close(): void;
}

export interface WriterParts {
  readonly FlowYjsProvider: typeof FlowYjsProvider;
}

const nextId = (authorship: Authorship): string => {
  authorship.written += 1;
  return `${authorship.author}.${authorship.written}`;
};

/** An editor whose operations may stand anywhere. */
export class Submitter implements Writer {
  readonly session: FlowSession;
  readonly record: DeliveryRecord;
  readonly #authorship: Authorship;

  constructor(client: FlowClient, authorship: Authorship) {
    const { ledger, trace, author } = authorship;
    this.#authorship = authorship;
    this.session = client.session(authorship.sessionId);
    this.record = new DeliveryRecord(`${author}'s tab`, this.session, ledger, trace);
    join(this.session);
  }

  write(count: number): void {
    const { dice, ledger } = this.#authorship;
    const ids = Array.from({ length: count }, () => nextId(this.#authorship));
    const operations = ids.map((id) => ({
      id,
      at: dice.between(0, 900) / 7,
      text: dice.chance(0.2) ? 'ö"\\\u2028' : 'x',
    }));
    this.session
      .submit(operations)
      .whenSaved()
      .then(() => ids.forEach((id) => ledger.ids.add(id)))
      // The tab was closed before; whether it was saved is not known.
      .catch(() => {});
  }

  get isSettled(): boolean {
    return isQueueEmpty(this.session);
  }

  close(): void {
    this.session.close();
  }
}

/** An editor that rebases its own changes: each is placed behind what it knows, or not at all. */
export class Proposer implements Writer {
  readonly session: FlowSession;
  readonly record: DeliveryRecord;
  readonly #authorship: Authorship;
  /** Numbers of operations without a place, ascending. */
  #pending: number[] = [];
  #isProposing = false;

  constructor(client: FlowClient, authorship: Authorship) {
    const { ledger, trace, author } = authorship;
    this.#authorship = authorship;
    this.session = client.session(authorship.sessionId);
    this.record = new DeliveryRecord(`${author}'s tab`, this.session, ledger, trace);
    this.session.on('withdrawn', ({ proposals }) => {
      trace.count('withdrawn proposals', proposals.length);
      this.#takeBack(proposals.flat().map((operation) => numberOf(idOf(operation))));
    });
    this.session.on('entries', () => this.#propose());
    this.session.on('caught-up', () => this.#propose());
    join(this.session);
  }

  write(count: number): void {
    for (let index = 0; index < count; index += 1) this.#pending.push(numberOf(nextId(this.#authorship)));
    this.#propose();
  }

  get isSettled(): boolean {
    return this.#pending.length === 0 && !this.#isProposing && isQueueEmpty(this.session);
  }

  close(): void {
    this.session.close();
  }

  #propose(): void {
    if (this.#isProposing || this.#pending.length === 0 || !this.session.isLive) return;
    const { author, trace, bases } = this.#authorship;
    const numbers = this.#pending.splice(0, MAX_PROPOSED);
    const operations = numbers.map((number) => ({ id: `${author}.${number}` }));
    const { head } = this.session;
    for (const { id } of operations) bases.set(id, (bases.get(id) ?? new Set()).add(head.tag));
    this.#isProposing = true;
    this.session
      .propose(operations, head)
      .then(({ status }) => {
        trace.count(`proposals ${status}`);
        if (status === 'stale') this.#takeBack(numbers);
      })
      // Refused, or something is on its way still.
      .catch(() => this.#takeBack(numbers))
      .finally(() => {
        this.#isProposing = false;
        setTimeout(() => this.#propose(), PROPOSAL_PAUSE_MS);
      });
  }

  #takeBack(numbers: readonly number[]): void {
    this.#pending = [...numbers, ...this.#pending].sort((a, b) => a - b);
  }
}

const MAX_PROPOSED = 3;
const PROPOSAL_PAUSE_MS = 2;

const numberOf = (id: string): number => Number(id.slice(id.indexOf('.') + 1));

/** A Yjs document: every operation leaves its id in a list; some also type into a text. */
export class YjsWriter implements Writer {
  readonly session: FlowSession;
  readonly record: DeliveryRecord;
  readonly doc = new Y.Doc();
  readonly #provider: FlowYjsProvider<null>;
  readonly #authorship: Authorship;
  /** Written, and not known to be saved. */
  readonly #unsavedIds: string[] = [];

  constructor(client: FlowClient, authorship: Authorship, { FlowYjsProvider }: WriterParts) {
    const { ledger, trace, author, dice } = authorship;
    this.#authorship = authorship;
    this.session = client.session(authorship.sessionId);
    this.record = new DeliveryRecord(`${author}'s tab`, this.session, ledger, trace);
    this.#provider = new FlowYjsProvider(client, authorship.sessionId, this.doc, {
      awareness: null,
      flushIntervalMs: dice.pick([0, 2]),
      random: dice.random,
    });
    this.#provider.on('saved', () => {
      for (const id of this.#unsavedIds.splice(0)) ledger.ids.add(id);
    });
  }

  write(count: number): void {
    const { dice } = this.#authorship;
    this.doc.transact(() => {
      for (let index = 0; index < count; index += 1) {
        const id = nextId(this.#authorship);
        this.#unsavedIds.push(id);
        idsIn(this.doc).push([id]);
        const text = this.doc.getText('content');
        if (dice.chance(0.3)) text.insert(dice.between(0, text.length), 'ab');
        else {
          const isDeleting = dice.chance(0.3);
          if (isDeleting && text.length > 1) text.delete(dice.between(0, text.length - 1), 1);
        }
      }
    });
  }

  get isSettled(): boolean {
    return this.#provider.unsaved === 0 && this.#provider.synced;
  }

  close(): void {
    this.#provider.destroy();
  }
}

export const idsIn = (doc: Y.Doc): Y.Array<string> => doc.getArray<string>('ids');

/** Ids of the operations in a stored queue. */
export function idsInRecord(record: QueueRecord | null): string[] {
  const operations = record ? [...record.batches.flatMap((batch) => batch.operations), ...record.pending] : [];
  return operations.flatMap((operation) =>
    typeof operation === 'string' ? idsInUpdate(operation) : [idOf(operation)],
  );
}

function idsInUpdate(update: string): string[] {
  const { structs } = Y.decodeUpdate(Buffer.from(update, 'base64'));
  return structs.flatMap((struct) =>
    struct instanceof Y.Item && struct.content instanceof Y.ContentAny ? struct.content.arr.map(String) : [],
  );
}

function isQueueEmpty(session: FlowSession): boolean {
  const { unsent, ordered } = session.counts;
  return session.isLive && unsent + ordered === 0;
}

/** A refusal shows in the session's status, which the schedule looks at in the end. */
const join = (session: FlowSession): void => void session.join().catch(() => {});
