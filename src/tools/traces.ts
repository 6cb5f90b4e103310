import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import * as Y from 'yjs';
import { z } from 'zod';
import { faultOf } from '../lib/parse';
import { seededRandom } from './seeded-random';

/** Position and deleted count in Unicode code points. */
const patch = z.tuple([z.int().min(0), z.int().min(0), z.string()]);
const sequentialTrace = z.object({
  startContent: z.string(),
  endContent: z.string(),
  txns: z.array(z.object({ patches: z.array(patch) })),
});
const concurrentTrace = z.object({
  kind: z.literal('concurrent'),
  endContent: z.string(),
  numAgents: z.int().min(1),
  txns: z.array(z.object({ parents: z.array(z.int().min(0)), agent: z.int().min(0), patches: z.array(patch) })),
});

export type Patch = z.infer<typeof patch>;

/** One edit of one author, made on the document that holds what `sees` says. */
export interface Edit {
  readonly author: number;
  readonly patches: readonly Patch[];
  /** For each author, how many of their edits the document held, in their order. */
  readonly sees: readonly number[];
}

/** An editing history, whatever its format was. */
export interface History {
  readonly authors: number;
  readonly edits: readonly Edit[];
  readonly endContent: string;
  /** Somewhere it has a character of two UTF-16 units. */
  readonly hasAstral: boolean;
}

/** A trace that cannot be read, or that is none. The message begins with the file's name. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

/** Reads a trace in one of the two formats of the editing-traces collection, gzipped or not. */
export async function readTrace(path: string): Promise<History> {
  const json = parseJson(path, await readText(path));
  const isConcurrent = typeof json === 'object' && json !== null && 'kind' in json && json.kind === 'concurrent';
  try {
    return isConcurrent ? fromConcurrent(concurrentTrace.parse(json)) : fromSequential(sequentialTrace.parse(json));
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw new TraceError(`${path}: ${messageOf(cause)}`, { cause });
    throw new TraceError(`${path}: this is no editing trace: ${faultOf(cause)}`, { cause });
  }
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    const isZipped = bytes.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
    return (isZipped ? await promisify(gunzip)(bytes) : bytes).toString('utf8');
  } catch (cause) {
    throw new TraceError(`${path}: the file cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TraceError(`${path}: this is no JSON: ${messageOf(cause)}`, { cause });
  }
}

const messageOf = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault));

function fromSequential({ startContent, endContent, txns }: z.infer<typeof sequentialTrace>): History {
  const edits: Edit[] = startContent === '' ? [] : [{ author: 0, patches: [[0, 0, startContent]], sees: [0] }];
  for (const { patches } of txns) if (!isEmpty(patches)) edits.push({ author: 0, patches, sees: [edits.length] });
  return { authors: 1, edits, endContent, hasAstral: edits.some(isAstral) };
}

function fromConcurrent({ numAgents, txns, endContent }: z.infer<typeof concurrentTrace>): History {
  const made = zeros(numAgents);
  /** What each transaction's document holds after it. */
  const holds: number[][] = [];
  const edits = txns.flatMap(({ parents, agent, patches }, index): Edit[] => {
    const ordinal = made[agent];
    if (ordinal === undefined) throw new Error(`Transaction ${index} is of agent ${agent}; there are ${numAgents}.`);
    const sees = zeros(numAgents);
    for (const parent of parents) {
      const seen = holds[parent];
      if (!seen) throw new Error(`Transaction ${index} has a parent ${parent} that does not come before it.`);
      seen.forEach((count, author) => {
        sees[author] = Math.max(sees[author] ?? 0, count);
      });
    }
    if (sees[agent] !== ordinal) {
      throw new Error(`Transaction ${index} of agent ${agent} was not made after the agent's own last one.`);
    }
    if (isEmpty(patches)) {
      holds.push(sees);
      return [];
    }
    made[agent] = ordinal + 1;
    const after = [...sees];
    after[agent] = ordinal + 1;
    holds.push(after);
    return [{ author: agent, patches, sees }];
  });
  return { authors: numAgents, edits, endContent, hasAstral: edits.some(isAstral) };
}

/** Changes nothing, so there is nothing to send. */
const isEmpty = (patches: readonly Patch[]): boolean =>
  patches.every(([, deleted, inserted]) => deleted === 0 && inserted === '');

const zeros = (length: number): number[] => Array.from({ length }, () => 0);

/** Authors' replica ids: ascending, because editors break ties between inserts at one place by them. */
export const replicaIdOf = (author: number): number => author + 1;

/** The shared text everything here edits. */
export const FIELD = 'content';

/**
 * Applies an edit to a Yjs document as one transaction. Positions are code points, Yjs counts UTF-16 units: `hasAstral` says that the
 * two differ somewhere in the history, so that every edit has to look through the text.
 */
export function applyEdit(doc: Y.Doc, patches: readonly Patch[], hasAstral: boolean): void {
  const text = doc.getText(FIELD);
  doc.transact(() => {
    for (const [position, deleted, inserted] of patches) {
      const content = hasAstral ? text.toJSON() : null;
      const from = content === null ? position : unitAt(content, position);
      const to = content === null ? position + deleted : unitAt(content, position + deleted);
      if (to > text.length) {
        throw new TraceError(`An edit reaches to character ${position + deleted} of a text that ends before it.`);
      }
      if (to > from) text.delete(from, to - from);
      if (inserted !== '') text.insert(from, inserted);
    }
  });
}

const ASTRAL = /[\u{10000}-\u{10FFFF}]/u;

const isAstral = ({ patches }: Edit): boolean => patches.some(([, , inserted]) => ASTRAL.test(inserted));

function unitAt(content: string, codePoint: number): number {
  let unit = 0;
  for (let passed = 0; passed < codePoint; passed += 1) unit += (content.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  return unit;
}

/** A history of one's own: authors who type, delete and jump about, and see each other now and then. Equal seeds, equal histories. */
export function makeHistory({
  seed,
  edits: count,
  authors,
}: {
  seed: number;
  edits: number;
  authors: number;
}): History {
  const random = seededRandom(seed);
  const docs = Array.from({ length: authors }, (_, author) => {
    const doc = new Y.Doc();
    doc.clientID = replicaIdOf(author);
    return doc;
  });
  const made = zeros(authors);
  const seen = docs.map(() => zeros(authors));
  const updates: Uint8Array[][] = docs.map(() => []);
  docs.forEach((doc, author) => {
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== SYNC) updates[author]?.push(update);
    });
  });
  const cursors = zeros(authors);
  const edits: Edit[] = [];

  function seeOthers(author: number): void {
    docs.forEach((_, other) => {
      const mine = seen[author];
      const doc = docs[author];
      if (other === author || !mine || !doc) return;
      for (const update of updates[other]?.slice(mine[other]) ?? []) Y.applyUpdate(doc, update, SYNC);
      mine[other] = made[other] ?? 0;
    });
  }

  while (edits.length < count) {
    const author = Math.floor(random() * authors);
    const doc = docs[author];
    const mine = seen[author];
    if (!doc || !mine) break;
    if (random() < SEE_OTHERS) seeOthers(author);
    const burst = Math.min(count - edits.length, 1 + Math.floor(random() * MAX_BURST));
    for (let typed = 0; typed < burst; typed += 1) {
      const length = doc.getText(FIELD).length;
      if (random() < JUMP) cursors[author] = Math.floor(random() * (length + 1));
      const cursor = Math.min(cursors[author] ?? 0, length);
      const isDeleting = cursor > 0 && random() < (length > MAX_LENGTH ? 0.6 : 0.15);
      const one: Patch = isDeleting
        ? [cursor - 1, 1, '']
        : [cursor, 0, LETTERS.charAt(Math.floor(random() * LETTERS.length))];
      edits.push({ author, patches: [one], sees: [...mine] });
      applyEdit(doc, [one], false);
      cursors[author] = isDeleting ? cursor - 1 : cursor + 1;
      made[author] = (made[author] ?? 0) + 1;
      mine[author] = made[author] ?? 0;
    }
  }
  seeOthers(0);
  return { authors, edits, endContent: docs[0]?.getText(FIELD).toJSON() ?? '', hasAstral: false };
}

const SYNC = Symbol('sync');
const LETTERS = 'etaoin shrdlu cmfwyp vbgkjq xz\n';
/** Shares and sizes that give a history like people's: bursts of a word or two, a jump now and then. */
const SEE_OTHERS = 0.5;
const JUMP = 0.02;
const MAX_BURST = 24;
/** From here on authors delete as much as they write, so that long histories make long documents but not endless ones. */
const MAX_LENGTH = 60_000;
