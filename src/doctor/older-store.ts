import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/load-config';
import { systemClock } from '../lib/clock';
import { silentLogger } from '../lib/logger';
import { hasLostSaved } from '../live/older-stores';
import type { HotLog } from '../ordering/event-ordering';
import { readHotLogFile, type ExportedHotLog, type HotLogFiles } from '../ordering/hot-log-file';
import { entryTag } from '../ordering/tag';
import { markBefore, markOf, weightOf, type Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { GENESIS, isSameMark, type Mark, type Position } from '../protocol/positions';
import { LmdbDocumentStore } from '../storage/lmdb/lmdb-document-store';
import type { DocumentStore } from '../storage/document-store';
import { HotLogs } from './hot-logs';

/** One transaction holds up others that write to the store. */
const MAX_SAVE_BYTES = 2_097_152;
const REPLAY_ID_BYTES = 12;

/** What an operator decides about a store that is older than what Redis knows to be saved. Each answers what was done. */
export class OlderStoreDecisions {
  readonly #config: Config;
  readonly #files: HotLogFiles;
  readonly #store: DocumentStore;
  readonly #hotLogs: HotLogs;

  constructor(config: Config, files: HotLogFiles) {
    this.#config = config;
    this.#files = files;
    const { documentDir: directory, documentDurability: durability } = config;
    this.#store = new LmdbDocumentStore({ directory, durability, log: silentLogger });
    this.#hotLogs = new HotLogs(config);
  }

  async start(): Promise<void> {
    if (this.#config.documentStore !== 'lmdb') throw refused('DOCUMENT_STORE=memory keeps nothing to decide about');
    if (this.#config.configured.eventOrdering === 'memory')
      throw refused('event ordering is in memory, and takes the store as it is: set USE_REDIS_EVENT_ORDERING=true');
    await this.#hotLogs.start();
    await this.#store.start();
  }

  async stop(): Promise<void> {
    await this.#store.stop();
    await this.#hotLogs.stop();
  }

  /** Goes on from what the store has. What Redis has beyond it is in a file before it is given up. */
  async accept(sessionId: string): Promise<string> {
    const hotLog = await this.#hotLogs.get(sessionId);
    const { operationLog } = this.#store;
    const stored = await operationLog.head(sessionId);
    if (!hotLog || !(await this.#isOlder(sessionId, stored, hotLog)))
      return `${sessionId}: nothing to accept, the store has all that Redis knows to be saved`;
    const file = await this.#files.write(this.#hotLogs.ordering, sessionId, hotLog, {
      stored,
      exportedAt: systemClock.now(),
    });
    const head = stored ? await this.#open(sessionId, stored, hotLog) : { epoch: hotLog.epoch + 1, ...GENESIS };
    await this.#seed(sessionId, head);
    return `${sessionId}: goes on from ${head.seq}; what Redis had from ${hotLog.saved.seq} to ${hotLog.head.seq} is in ${file}`;
  }

  async acceptAll(): Promise<string[]> {
    const done: string[] = [];
    for await (const page of this.#hotLogs.all()) {
      for (const [sessionId, hotLog] of page) {
        const stored = await this.#store.operationLog.head(sessionId);
        if (await this.#isOlder(sessionId, stored, hotLog)) done.push(await this.accept(sessionId));
      }
    }
    return done.length > 0 ? done : ['nothing to accept, the store has all that Redis knows to be saved'];
  }

  /** Puts the entries of an exported hot log into the session: in their places where they continue it, else, for Yjs, behind its end. */
  async replay(path: string): Promise<string> {
    const exported = await readHotLogFile(path);
    const { sessionId } = exported;
    const stored = await this.#store.operationLog.head(sessionId);
    if (!stored) throw refused(`the store does not know the session ${sessionId}: put back a store that does`);
    const hotLog = await this.#hotLogs.get(sessionId);
    if (hotLog && (await this.#isOlder(sessionId, stored, hotLog)))
      throw refused(
        `the store is older than ${sessionId}: put the right one back, or --accept-store ${sessionId} first`,
      );
    if (hotLog && hotLog.epoch === stored.epoch && hotLog.head.seq > stored.seq)
      throw refused(`operations of ${sessionId} are about to be saved: try again when nobody writes`);
    const entries = await this.#entriesBehind(stored, exported);
    if (entries.length === 0) return `${sessionId}: the store has all of ${path} already`;
    const { epoch } = await this.#open(sessionId, stored, hotLog);
    const head = await this.#save(sessionId, epoch, entries);
    await this.#seed(sessionId, { epoch, ...head });
    return `${sessionId}: ${entries.reduce((sum, { count }) => sum + count, 0)} operations put back; it ends at ${head.seq} now`;
  }

  /** The entries to be saved, such that they continue the stored head. */
  async #entriesBehind(stored: Position, { sessionId, entries }: ExportedHotLog): Promise<readonly Entry[]> {
    const { operationLog, sessionRecords } = this.#store;
    const later = entries.filter((entry) => entry.seq > stored.seq);
    const known = entries[entries.length - later.length - 1];
    const isKnown = known !== undefined && (await operationLog.tagAt(sessionId, known.seq)) === known.tag;
    if (later.length === 0 && (isKnown || entries.length === 0)) return [];
    const [first] = later;
    if (first && isSameMark(markBefore(first), stored)) return later;
    if ((await sessionRecords.get(sessionId))?.format !== 'yjs')
      throw refused(
        `what is missing before ${entries[0]?.seq ?? 0} makes no sense without: only Yjs sessions take operations out of their order. The file has them`,
      );
    return behind(stored, entries);
  }

  async #isOlder(sessionId: string, stored: Position | null, hotLog: HotLog): Promise<boolean> {
    return hasLostSaved(this.#store.operationLog, sessionId, stored, hotLog);
  }

  /** Above whatever Redis has: who works under an older epoch opens the session again. */
  async #open(sessionId: string, stored: Position, hotLog: HotLog | null): Promise<Position> {
    const opened = await this.#store.operationLog.openEpoch(sessionId, stored.epoch, hotLog?.epoch ?? 0);
    if (!opened) throw movedOn(sessionId);
    return opened;
  }

  async #seed(sessionId: string, { epoch, seq, tag }: Position): Promise<void> {
    const { ordering } = this.#hotLogs;
    if (!(await ordering.seed(sessionId, epoch, { seq, tag }))) throw movedOn(sessionId);
    // Whoever opens the session keeps it; else it goes.
    await ordering.release(sessionId);
  }

  async #save(sessionId: string, epoch: number, entries: readonly Entry[]): Promise<Mark> {
    let head: Mark = GENESIS;
    for (const portion of portionsOf(entries.map((entry) => ({ ...entry, epoch })))) {
      const [result] = await this.#store.operationLog.save([{ sessionId, epoch, entries: portion }]);
      if (result?.status !== 'saved') throw movedOn(sessionId);
      head = result.head;
    }
    return head;
  }
}

/** The same operations as another client's, which has written nothing else: Yjs takes what it has already for nothing. */
function behind(stored: Position, entries: readonly Entry[]): Entry[] {
  const clientId = `replay-${randomBytes(REPLAY_ID_BYTES).toString('base64url')}`;
  let last: Mark = stored;
  let clientSeq = 0;
  return entries.map(({ epoch, count, userId, at, operations }) => {
    clientSeq += count;
    const placed = { prevTag: last.tag, clientId, clientSeq, count, seq: last.seq + count, operations };
    const entry = { ...placed, epoch, tag: entryTag(placed), userId, at };
    last = markOf(entry);
    return entry;
  });
}

function* portionsOf(entries: readonly Entry[]): Generator<Entry[]> {
  let portion: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    portion.push(entry);
    bytes += weightOf(entry);
    if (bytes < MAX_SAVE_BYTES) continue;
    yield portion;
    portion = [];
    bytes = 0;
  }
  if (portion.length > 0) yield portion;
}

const refused = (message: string): FlowError => new FlowError('BAD_REQUEST', message);

const movedOn = (sessionId: string): FlowError =>
  new FlowError('BACKEND_UNAVAILABLE', `${sessionId}: somebody opened it in the same moment; try again`);
