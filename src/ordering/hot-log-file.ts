import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { makeDirectory } from '../lib/make-directory';
import { syncToDisk } from '../lib/sync-to-disk';
import { faultCode } from '../lib/system-faults';
import { prevSeqOf, type Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { Position } from '../protocol/positions';
import { sessionId } from '../protocol/schemas';
import type { EventOrdering, HotLog } from './event-ordering';
import { entryTag } from './tag';

const KIND = 'flow-hot-log';
const VERSION = 1;
const ENDING = '.jsonl';
/** Of one read from the hot log. */
const PAGE_BYTES = 524_288;
const RETRY_AFTER_MS = 1_000;

const mark = z.object({ seq: z.int().min(0), tag: z.string() });
const position = mark.extend({ epoch: z.int().min(0) });

/** The first line of an exported hot log. */
const headLine = z.object({
  kind: z.literal(KIND),
  version: z.literal(VERSION),
  sessionId,
  /** Milliseconds since 1970. */
  exportedAt: z.number(),
  hotLog: z.object({ epoch: z.int(), head: mark, saved: mark, floor: z.int() }) satisfies z.ZodType<HotLog>,
  /** Where the store was; null: it did not know the session. */
  stored: position.nullable() satisfies z.ZodType<Position | null>,
});

/** Each further line: an entry. `operations` is text, because its tag is made of exactly that text. */
const entryLine = position.extend({
  count: z.int().min(1),
  prevTag: z.string(),
  clientId: z.string(),
  clientSeq: z.int(),
  userId: z.string(),
  at: z.number(),
  operations: z.string(),
}) satisfies z.ZodType<Entry>;

export interface ExportedHotLog extends Omit<z.output<typeof headLine>, 'kind' | 'version'> {
  readonly entries: readonly Entry[];
}

/** Hot logs written to files (JSON lines), so that nothing that only they had is lost when they are given up. */
export class HotLogFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where a hot log belongs. The same log is the same file, so that it is written once. */
  pathOf(sessionId: string, { epoch, head }: HotLog): string {
    // The id comes from Redis: what is no id is no path either. One that is stays as it is.
    const name = encodeURIComponent(sessionId);
    return join(this.#directory, `${name}.${epoch}-${head.seq}-${head.tag || 'start'}${ENDING}`);
  }

  async list(): Promise<string[]> {
    try {
      const names = await readdir(this.#directory);
      return names
        .filter((name) => name.endsWith(ENDING))
        .sort()
        .map((name) => join(this.#directory, name));
    } catch (fault) {
      if (faultCode(fault) === 'ENOENT') return [];
      throw fault;
    }
  }

  /** Writes what the hot log has, on disk before it resolves with the file's path. */
  async write(
    ordering: Pick<EventOrdering, 'read'>,
    sessionId: string,
    hotLog: HotLog,
    { stored, exportedAt }: { stored: Position | null; exportedAt: number },
  ): Promise<string> {
    const path = this.pathOf(sessionId, hotLog);
    if (await isThere(path)) return path;
    await makeDirectory(this.#directory);
    const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
    const file = await open(aside, 'wx', 0o600);
    try {
      try {
        const head = { kind: KIND, version: VERSION, sessionId, exportedAt, hotLog, stored };
        await file.appendFile(`${JSON.stringify(head)}\n`);
        await writeEntries(file, ordering, sessionId, hotLog);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, path);
      await syncToDisk(this.#directory, 'r');
      return path;
    } finally {
      await rm(aside, { force: true });
    }
  }
}

/** Reads an exported hot log, and rejects unless every entry is what was once ordered. */
export async function readHotLogFile(path: string): Promise<ExportedHotLog> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY });
  let head: z.output<typeof headLine> | undefined;
  const entries: Entry[] = [];
  for await (const line of lines) {
    if (!head) {
      head = read(headLine, line, path);
      continue;
    }
    const entry = read(entryLine, line, path);
    const before = entries[entries.length - 1];
    const isNext = !before || (prevSeqOf(entry) === before.seq && entry.prevTag === before.tag);
    if (!isNext || entryTag(entry) !== entry.tag) throw damaged(path);
    entries.push(entry);
  }
  if (!head || (entries[entries.length - 1]?.seq ?? head.hotLog.head.seq) !== head.hotLog.head.seq) throw damaged(path);
  const { sessionId, exportedAt, hotLog, stored } = head;
  return { sessionId, exportedAt, hotLog, stored, entries };
}

async function writeEntries(
  file: FileHandle,
  ordering: Pick<EventOrdering, 'read'>,
  sessionId: string,
  { epoch, floor, head }: HotLog,
): Promise<void> {
  let after = floor;
  while (after < head.seq) {
    const page = await ordering.read(sessionId, after, PAGE_BYTES);
    const [first] = page?.entries ?? [];
    if (!page || page.log.epoch !== epoch || !first || prevSeqOf(first) !== after) {
      throw new FlowError('BACKEND_UNAVAILABLE', 'The hot log changed while it was written to a file.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    for (const entry of page.entries) {
      if (entry.seq > head.seq) return;
      await file.appendFile(`${JSON.stringify(entry)}\n`);
      after = entry.seq;
    }
  }
}

function read<S extends z.ZodType>(schema: S, line: string, path: string): z.output<S> {
  try {
    return schema.parse(JSON.parse(line));
  } catch (cause) {
    throw new FlowError('BAD_REQUEST', damaged(path).message, {}, { cause });
  }
}

const damaged = (path: string): FlowError =>
  new FlowError('BAD_REQUEST', `${path} is no exported hot log of version ${VERSION}, or it is damaged.`);

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
