import { readFile } from 'node:fs/promises';
import * as Y from 'yjs';
import { FlowClient } from '../../../src/client/flow-client';
import { FlowYjsProvider } from '../../../src/client/yjs-provider';
import { eventually } from '../eventually';
import type { Processes, ServerProcess } from '../server-process';
import { Attacker, type Answers } from './attacker';
import { hostileActs, type Hostile } from './hostile';

const ATTACKERS = 8;
/** Editors write something after so many acts. */
const ACTS_PER_STROKE = 40;
const CONVERGE_MS = 60_000;
/** Files of libraries and compiled code come into memory as they are needed; that is no leak. */
const WARM_UP_ACTS = 1_000;

export interface FuzzReport {
  readonly seed: number;
  readonly acts: Readonly<Record<Hostile['kind'], number>>;
  readonly answers: Answers;
  readonly strokes: number;
  readonly seconds: number;
  readonly residentMegabytes: { readonly before: number; readonly most: number; readonly after: number };
  /** What the server complained of; empty when all is well. */
  readonly faults: readonly string[];
}

/** Two editors of a session in which everything hostile happens. */
class Editors {
  readonly docs = [new Y.Doc(), new Y.Doc()];
  readonly #clients: FlowClient[];
  readonly #providers: FlowYjsProvider[];
  strokes = 0;

  constructor(url: string) {
    this.#clients = ['ada', 'bob'].map((token) => new FlowClient({ url, token }));
    this.#providers = this.#clients.map(
      (client, index) => new FlowYjsProvider(client, 'arena', this.docs[index] ?? new Y.Doc()),
    );
  }

  /** What honest people write goes into a root of its own; the others are the battlefield. */
  texts(): string[] {
    return this.docs.map((doc) => doc.getText('honest').toJSON());
  }

  write(random: number): void {
    const text = this.docs[this.strokes % 2]?.getText('honest');
    if (!text) return;
    if (text.length > 20 && random < 0.3) text.delete(Math.floor(random * text.length), 1);
    else text.insert(Math.floor(random * (text.length + 1)), `${this.strokes} `);
    this.strokes += 1;
  }

  async saved(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.whenSaved()));
  }

  get isLive(): boolean {
    return this.#providers.every(({ synced }) => synced);
  }

  close(): void {
    for (const provider of this.#providers) provider.destroy();
    for (const client of this.#clients) client.close();
  }
}

/** Compiled code, caches and the document itself grow to some ten megabytes. */
const MAX_GROWTH_MEGABYTES = 300;
/** Of every kind, or a run proves nothing. */
const LEAST = 100;

/** What went wrong in a run, or was not tried at all; empty when all is well. */
export function harmOf({ faults, answers, acts, residentMegabytes, strokes }: FuzzReport): string[] {
  const growth = residentMegabytes.after - residentMegabytes.before;
  const leastOfAll = (counts: readonly number[]): boolean => Math.min(...counts) >= LEAST;
  const demands: ReadonlyArray<readonly [isMet: boolean, harm: string]> = [
    [answers.refused['INTERNAL'] === undefined, 'requests were answered with INTERNAL'],
    [answers.silent === 0, `${answers.silent} acts got no answer`],
    [growth < MAX_GROWTH_MEGABYTES, `the server grew by ${growth} MB`],
    [leastOfAll([strokes, ...Object.values(acts)]), 'not everything was done'],
    [leastOfAll([answers.ok, answers.cutOff, answers.refused['BAD_REQUEST'] ?? 0]), 'not every kind of answer came'],
  ];
  return [...faults, ...demands.filter(([isMet]) => !isMet).map(([, harm]) => harm)];
}

/** Does hostile things to a running server, and says what came of it. Fails where others were affected. */
export async function fuzz(processes: Processes, seed: number, count: number): Promise<FuzzReport> {
  const documents = await processes.directory();
  const server = await processes.startServer({ documents });
  const complaints: string[] = [];
  // The first: whatever it was, the rest may follow from it.
  server.line(/^.*"level":(?:50|60).*$/).then(
    ([line]) => complaints.push(line),
    () => {},
  );
  await create(server, 'arena', 'yjs');
  await create(server, 'json', 'json');
  const editors = new Editors(server.url);
  const attackers = Array.from({ length: ATTACKERS }, (_, index) => new Attacker(server.url, `mallory${index}`));
  const acts: Record<Hostile['kind'], number> = { bytes: 0, http: 0, message: 0, event: 0, update: 0 };
  const startedAt = performance.now();
  let [before, most, done] = [0, 0, 0];
  try {
    await eventually('the editors have joined', () => editors.isLive);
    const all = hostileActs(seed, count);
    await Promise.all(
      attackers.map(async (attacker) => {
        for (const act of all) {
          acts[act.kind] += 1;
          done += 1;
          if (done % ACTS_PER_STROKE === 0) editors.write((done % 97) / 97);
          if (done % WARM_UP_ACTS === 0) {
            const now = await residentMegabytes(server.pid);
            if (before === 0) before = now;
            most = Math.max(most, now);
          }
          await attacker.do(act);
        }
      }),
    );
    await eventually('the editors are back', () => editors.isLive, CONVERGE_MS);
    await editors.saved();
    await eventually('both editors show the same', () => new Set(editors.texts()).size === 1, CONVERGE_MS);
    const [text = ''] = editors.texts();
    await demandReadable(server, text);
    await demandJoinable(server, text);
    for (const attacker of attackers) attacker.close();
    const after = await residentMegabytes(server.pid);
    editors.close();
    const { code } = await server.end('SIGTERM');
    return {
      seed,
      acts,
      answers: sum(attackers.map(({ answers }) => answers)),
      strokes: editors.strokes,
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      residentMegabytes: { before, most, after },
      faults: [...(code === 0 ? [] : [`the server ended with ${code}`]), ...complaints],
    };
  } catch (cause) {
    const last = server.lines.slice(-20).join('\n');
    throw new Error(`after ${done} acts with seed ${seed}: ${String(cause)}; the server said:\n${last}`, { cause });
  } finally {
    editors.close();
    for (const attacker of attackers) attacker.close();
  }
}

async function create(server: ServerProcess, sessionId: string, format: string): Promise<void> {
  const response = await fetch(`${server.url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer ada' },
    body: JSON.stringify({ sessionId, format }),
  });
  if (!response.ok) throw new Error(`no session ${sessionId}: ${response.status}`);
}

/** The document is read in every form, whatever was written into it. */
async function demandReadable(server: ServerProcess, text: string): Promise<void> {
  const read = async (query: string): Promise<string> => {
    const response = await fetch(`${server.url}/api/sessions/arena/document?${query}`, {
      headers: { authorization: 'Bearer ada' },
    });
    const body = await response.text();
    if (response.status !== 200) throw new Error(`reading ${query}: ${response.status} ${body.slice(0, 200)}`);
    return body;
  };
  for (const field of ['content', 'rich', 'list', 'map', 'page', 'documents'])
    for (const as of ['text', 'json']) await read(`as=${as}&field=${field}`);
  const seen = await read('as=text&field=honest');
  if (seen !== text)
    throw new Error(`the server reads ${seen.slice(0, 200)} where the editors wrote ${text.slice(0, 200)}`);
}

/** Whoever comes later finds what is there. */
async function demandJoinable({ url }: ServerProcess, text: string): Promise<void> {
  const client = new FlowClient({ url, token: 'late' });
  const doc = new Y.Doc();
  const provider = new FlowYjsProvider(client, 'arena', doc);
  try {
    await eventually(
      'a latecomer sees the text',
      () => provider.synced && doc.getText('honest').toJSON() === text,
      CONVERGE_MS,
    );
  } finally {
    provider.destroy();
    client.close();
  }
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

function sum(all: readonly Answers[]): Answers {
  const total: Answers = { ok: 0, refused: {}, cutOff: 0, silent: 0 };
  for (const { ok, refused, cutOff, silent } of all) {
    total.ok += ok;
    total.cutOff += cutOff;
    total.silent += silent;
    for (const [code, times] of Object.entries(refused)) total.refused[code] = (total.refused[code] ?? 0) + times;
  }
  return total;
}
