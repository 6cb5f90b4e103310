import * as Y from 'yjs';
import type { BackoffOptions } from '../client/backoff';
import { FlowClient } from '../client/flow-client';
import type { FlowSession } from '../client/session';
import { FlowYjsProvider } from '../client/yjs-provider';
import { EditRegister, ReplayAuthor } from './replay-author';
import { FIELD, type History } from './traces';

export interface ReplayProgress {
  /** Edits of all authors that are in the store. */
  readonly saved: number;
  readonly total: number;
  /** Operations that authors hold because they are not saved. */
  readonly held: number;
}

export interface ReplayReport {
  /** Empty when every text is equal and the server's history holds every edit once, in its author's order. */
  readonly problems: readonly string[];
  readonly edits: number;
  readonly seconds: number;
  readonly deliveryMs: { readonly p50: number; readonly p99: number };
  readonly savedLagMs: { readonly p50: number; readonly p99: number };
  readonly sessionId: string;
}

/** A replay under way, for whoever disturbs it. */
export interface RunningReplay {
  readonly sessionId: string;
  /** In the order of the authors. */
  readonly authors: readonly FlowSession[];
  readonly reader: FlowSession;
  readonly register: EditRegister;
}

/** Nothing moved for so long: something is broken, not slow. */
const STALL_MS = 60_000;
/** How often progress is looked at. */
const PROGRESS_MS = 250;

/**
 * Replays a history through the client library, one connection per author and one for a silent reader, and compares everyone's text
 * and the server's with the history's end.
 */
export async function replay(options: {
  /** Of one server, or of several that share their sessions: authors and reader are spread over them. */
  urls: readonly string[];
  history: History;
  /** Edits per second of each author; null: as fast as the server takes them. */
  perSecond: number | null;
  onProgress?: (progress: ReplayProgress) => void;
  /** Everyone has joined; nothing is written yet. */
  onStarted?: (running: RunningReplay) => void;
  /** Everything is written, or something went wrong; what everyone has is compared after it. */
  onWritten?: () => Promise<void>;
  /** Of the clients' attempts to connect; the library's own unless told. */
  backoff?: BackoffOptions;
  /** Gives up after so long without anything being saved. */
  stallMs?: number;
}): Promise<ReplayReport> {
  const { urls, history, perSecond, onProgress, onStarted, onWritten, backoff, stallMs = STALL_MS } = options;
  const [url = ''] = urls;
  const register = new EditRegister();
  const connect = (name: string, index: number): FlowClient =>
    new FlowClient({ url: urls[index % urls.length] ?? url, token: name, ...(backoff ? { backoff } : {}) });

  const readerClient = connect('reader', history.authors);
  const readerDoc = new Y.Doc();
  const ends: Array<() => void> = [() => readerClient.close()];
  try {
    const { sessionId } = await readerClient.createSession({ title: 'Replay', format: 'yjs' });
    const reader = new FlowYjsProvider(readerClient, sessionId, readerDoc);
    ends.unshift(() => reader.destroy());
    reader.session.on('entries', ({ entries }) => {
      for (const { clientId, operations } of entries) {
        for (const operation of operations) register.arrived(clientId, operation);
      }
    });
    const authors = Array.from({ length: history.authors }, (_, index) => {
      const author = new ReplayAuthor(connect(`author-${index}`, index), sessionId, index, history, register);
      ends.unshift(() => author.close());
      return author;
    });
    await Promise.all(authors.map(({ session }) => session.join()));
    onStarted?.({ sessionId, authors: authors.map(({ session }) => session), reader: reader.session, register });

    const startedAt = performance.now();
    const total = history.edits.length;
    let lastMove = { at: startedAt, saved: -1 };
    const watch = setInterval(() => {
      const held = authors.reduce((sum, author) => sum + author.heldCount(), 0);
      const saved = register.saved.length;
      if (saved !== lastMove.saved) lastMove = { at: performance.now(), saved };
      else if (performance.now() - lastMove.at > stallMs) {
        lastMove.at = performance.now();
        register.problem(`nothing was saved for ${stallMs} ms; ${held} operations are held by their authors`);
      }
      onProgress?.({ saved, total, held });
    }, PROGRESS_MS);
    ends.unshift(() => clearInterval(watch));

    const editsOf = authors.map(({ author }) => history.edits.filter((edit) => edit.author === author));
    await Promise.all(
      authors.map((author, index) =>
        author.run(editsOf[index] ?? [], perSecond).catch((fault: unknown) => {
          // Or the others would wait for what never comes.
          register.problem(`author ${index} stopped: ${String(fault)}`);
          throw fault;
        }),
      ),
    );
    const seconds = (performance.now() - startedAt) / 1_000;

    await onWritten?.();
    const totals = editsOf.map((edits) => edits.length);
    if (register.problems.length === 0) {
      for (const author of authors) {
        compare(register, `author ${author.author}`, await author.finish(totals), history.endContent);
      }
      await caughtUp(reader, total, register);
      compare(register, 'the reader', readerDoc.getText(FIELD).toJSON(), history.endContent);
      for (const server of urls) await compareServer(register, server, sessionId, history.endContent);
    }
    await checkHistory(url, sessionId, totals, register);

    return {
      problems: register.problems,
      edits: total,
      seconds,
      deliveryMs: percentiles(register.deliveryMs),
      savedLagMs: percentiles(register.savedLagMs),
      sessionId,
    };
  } finally {
    for (const end of ends) end();
    readerDoc.destroy();
  }
}

function compare(register: EditRegister, whose: string, text: string, expected: string): void {
  if (text === expected) return;
  let at = 0;
  while (text[at] === expected[at]) at += 1;
  register.problem(
    `the text of ${whose} differs from character ${at} of ${expected.length} on: ` +
      `${JSON.stringify(text.slice(at, at + 40))} instead of ${JSON.stringify(expected.slice(at, at + 40))}`,
  );
}

async function caughtUp(reader: FlowYjsProvider, total: number, register: EditRegister): Promise<void> {
  while (reader.session.head.seq < total && register.problems.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A server that is not there is a finding about the replay, like any other. */
async function ask(register: EditRegister, address: string): Promise<Response | null> {
  try {
    return await fetch(address);
  } catch (fault) {
    register.problem(`the server does not answer: ${String(fault)}`);
    return null;
  }
}

async function compareServer(register: EditRegister, url: string, sessionId: string, expected: string): Promise<void> {
  const answer = await ask(register, `${url}/api/sessions/${sessionId}/document?as=text&field=${FIELD}`);
  if (!answer) return;
  const text = await answer.text();
  if (answer.ok) compare(register, 'the server', text, expected);
  else register.problem(`the server answered ${answer.status} for the document: ${text}`);
}

/** Every edit is in the server's history exactly once, and each author's are in the order they were made. */
async function checkHistory(
  url: string,
  sessionId: string,
  totals: readonly number[],
  register: EditRegister,
): Promise<void> {
  const next = totals.map(() => 0);
  let after = 0;
  for (;;) {
    const answer = await ask(register, `${url}/api/sessions/${sessionId}/operations?limit=1000&after=${after}`);
    if (!answer) return;
    if (!answer.ok) {
      return register.problem(`the server answered ${answer.status} for the history: ${await answer.text()}`);
    }
    const { entries } = (await answer.json()) as {
      entries: Array<{ seq: number; clientId: string; operations: unknown[] }>;
    };
    for (const { seq, clientId, operations } of entries) {
      if (seq !== after + operations.length)
        register.problem(`the server's history has a hole between ${after} and ${seq}`);
      after = seq;
      for (const operation of operations) {
        const edit = register.find(clientId, operation);
        if (!edit) register.problem(`the server's history has an operation nobody made at ${seq}`);
        else if (edit.ordinal !== next[edit.author]) {
          register.problem(
            `the server's history has edit ${edit.ordinal} of author ${edit.author} where ${next[edit.author]} belongs`,
          );
        } else next[edit.author] = edit.ordinal + 1;
      }
    }
    if (entries.length === 0) break;
  }
  next.forEach((count, author) => {
    if (count !== totals[author])
      register.problem(`the server has ${count} of ${totals[author]} edits of author ${author}`);
  });
}

function percentiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
