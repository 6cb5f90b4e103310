import { silentLogger } from '../../src/lib/logger';
import { entryTag } from '../../src/ordering/tag';
import type { Entry } from '../../src/protocol/entry';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { MAX_HELD } from '../../src/tools/replay-author';
import { replay, type ReplayReport, type RunningReplay } from '../../src/tools/replay-run';
import type { History } from '../../src/tools/traces';
import { eventually } from './eventually';
import { seededRandom } from '../../src/tools/seeded-random';
import { portToComeBackTo, type Ended, type Processes, type ServerProcess, type Variables } from './server-process';

/** Operations that nobody was told are saved, at each kill. */
export const MIN_UNSAVED = 50;

/** What was found at one kill. */
export interface Kill {
  /** Operations that were delivered before it and of which nobody was told that they are saved. */
  readonly unsaved: number;
  /** Delivered operations that the store did not have when the process was gone: they went with it. */
  readonly lost: number;
  /** What contradicts "saved means saved": empty. */
  readonly broken: readonly string[];
  readonly ended: Ended;
  readonly endedAfterMs: number;
}

export interface KilledReplay {
  readonly report: ReplayReport;
  readonly kills: readonly Kill[];
  /** The last one, still running. */
  readonly server: ServerProcess;
}

interface KillingOptions {
  readonly processes: Processes;
  readonly seed: number;
  readonly history: History;
  readonly kills: number;
  /** SIGKILL unless told. */
  readonly signal?: NodeJS.Signals;
  readonly env?: Variables;
  readonly command?: readonly string[];
  readonly stallMs?: number;
}

/** Long enough that hundreds of operations are unsaved most of the time. */
const SAVE_INTERVAL_MS = 400;
/** Edits after the last kill: enough for it to find its moment. */
const REST = 500;
/** Clients are back soon after the server: the test is about what they bring, not about how they wait. */
const BACKOFF = { firstMs: 50, ceilingMs: 500 };

/** Replays a history against a server that is killed again and again, at moments that the seed chooses. */
export async function replayWithKills(options: KillingOptions): Promise<KilledReplay> {
  const { processes, seed, history, env, command, signal = 'SIGKILL', stallMs = 30_000 } = options;
  const documents = await processes.directory();
  const port = await portToComeBackTo();
  const start = (): Promise<ServerProcess> =>
    processes.startServer({
      documents,
      port,
      env: { SAVE_INTERVAL_MS: String(SAVE_INTERVAL_MS), LOG_LEVEL: 'info', ...env },
      ...(command ? { command } : {}),
    });
  let server = await start();
  const random = seededRandom(seed);
  const kills: Kill[] = [];
  // Behind the last kill there is more to write than the authors can write before anything is saved.
  const rest = history.authors * MAX_HELD + REST;
  if (rest >= history.edits.length) throw new Error(`a history with kills needs more than ${rest} edits`);

  async function killAll(running: RunningReplay): Promise<void> {
    const { register } = running;
    const counts = countSaved(running);
    for (let kill = 1; kill <= options.kills; kill += 1) {
      const from = ((history.edits.length - rest) * (kill - 0.5 + random() / 2)) / options.kills;
      const unsaved = MIN_UNSAVED + Math.floor(random() * MIN_UNSAVED * 2);
      const savedBefore = counts.savedSeq();
      const isTime = (): boolean =>
        headOf(running) >= from && counts.savedSeq() > savedBefore && counts.unsaved() >= unsaved;
      await eventually(
        `kill ${kill}: this server has saved something, and ${unsaved} operations are unsaved`,
        () => register.problems.length > 0 || isTime(),
        60_000,
      );
      // A replay that has gone wrong goes no further; what it found is in its report.
      if (register.problems.length > 0) return;
      // No await between what is counted and the signal.
      const counted = counts.unsaved();
      const signalledAt = performance.now();
      server.signal(signal);
      const ended = await server.ended;
      const endedAfterMs = performance.now() - signalledAt;
      const stored = await readStore(documents, running.sessionId);
      // By now the clients have read what was on its way to them.
      const lost = headOf(running) - (stored.at(-1)?.seq ?? 0);
      const broken = contradictions(running, stored);
      kills.push({ unsaved: counted, lost, broken, ended, endedAfterMs });
      server = await start();
      // From here on it would only get worse.
      if (broken[0] !== undefined) return register.problem(broken[0]);
    }
  }

  let killing = Promise.resolve();
  const report = await replay({
    urls: [server.url],
    history,
    perSecond: null,
    backoff: BACKOFF,
    stallMs,
    onStarted: (running) => {
      killing = killAll(running).catch((fault: unknown) => {
        running.register.problem(`the kills stopped: ${String(fault)}`);
      });
    },
    // Whatever happened, there is a server again that can be asked.
    onWritten: () => killing,
  });
  return { report, kills, server };
}

/** The furthest anybody has come. */
const headOf = ({ authors, reader }: RunningReplay): number =>
  Math.max(...[reader, ...authors].map(({ head }) => head.seq));

/** What was told to be saved to anybody, and how much was delivered to somebody beyond it. */
function countSaved(running: RunningReplay): { savedSeq(): number; unsaved(): number } {
  let savedSeq = 0;
  for (const session of [running.reader, ...running.authors]) {
    session.on('saved', ({ seq }) => {
      savedSeq = Math.max(savedSeq, seq);
    });
  }
  return { savedSeq: () => savedSeq, unsaved: () => headOf(running) - savedSeq };
}

/** Everything a directory holds of a session, whether a server runs on it or not. */
export async function readStore(directory: string, sessionId: string): Promise<readonly Entry[]> {
  const store = new LmdbDocumentStore({ directory, durability: 'fsync', log: silentLogger });
  await store.start();
  try {
    return await store.operationLog.readAfter(sessionId, 0, Number.MAX_SAFE_INTEGER);
  } finally {
    await store.stop();
  }
}

/** What the store says against what clients were told. */
function contradictions({ authors, reader, register }: RunningReplay, stored: readonly Entry[]): string[] {
  const found: string[] = [];
  const next = authors.map(() => 0);
  let prevTag = '';
  let prevSeq = 0;
  for (const entry of stored) {
    if (entry.seq !== prevSeq + entry.count || entry.prevTag !== prevTag || entryTag(entry) !== entry.tag)
      found.push(`the stored history is broken at ${entry.seq}`);
    prevTag = entry.tag;
    prevSeq = entry.seq;
    for (const operation of JSON.parse(entry.operations)) {
      const edit = register.find(entry.clientId, operation);
      if (!edit) found.push(`the store has an operation nobody made at ${entry.seq}`);
      else if (edit.ordinal !== next[edit.author])
        found.push(`edit ${edit.ordinal} of author ${edit.author} is stored where ${next[edit.author]} belongs`);
      else next[edit.author] = edit.ordinal + 1;
    }
  }
  for (const { author, ordinal } of register.saved)
    if (ordinal >= (next[author] ?? 0))
      found.push(`edit ${ordinal} of author ${author} was said to be saved and is not in the store`);
  for (const { savedMark } of [reader, ...authors]) {
    if (savedMark.seq > 0 && stored.find(({ seq }) => seq === savedMark.seq)?.tag !== savedMark.tag)
      found.push(`position ${savedMark.seq} was said to be saved and is not in the store`);
  }
  // A store that is wrong is wrong thousands of times; the first ones tell.
  return found.slice(0, 20);
}
