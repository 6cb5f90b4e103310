import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UNLIMITED } from '../../config/unlimited';
import { replay } from './replay-run';
import { startServerProcess } from './server-process';
import { makeHistory, readTrace, TraceError, type History } from './traces';

const USAGE = `npm run replay -- [trace.json.gz] [--url URL] [--speed max|N] [--seed N] [--edits N]

  trace.json.gz    an editing history of the editing-traces collection; without one, two authors are made up
  --url URL        a running server; without it, one is started for the replay. Several: servers that share their sessions
  --speed          edits per second of each author, or max (default)
  --seed, --edits  of the made-up history (default 1 and 20000; 260000 is a long one)

Exit code: 0 when every text is equal, 1 when not, 2 when there is nothing to replay or no server to replay it to.`;

/** There is nothing to replay, or nowhere: the arguments or the trace are at fault. */
const INPUT_FAULT_EXIT_CODE = 2;
/** Shells' exit codes of interrupted programs: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const MAX_SEED = 2 ** 32 - 1;
/** Ten times the longest history anybody has recorded. */
const MAX_EDITS = 10_000_000;
const SHOW_PROGRESS_MS = 1_000;
/** Whoever does not answer by then is not there, or not worth a replay. */
const REACH_DEADLINE_MS = 2_000;

class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

interface Arguments {
  readonly trace: string | undefined;
  readonly urls: readonly string[];
  readonly perSecond: number | null;
  readonly seed: number;
  readonly edits: number;
}

/** Throws with what is wrong. */
function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', multiple: true, default: [] },
      speed: { type: 'string', default: 'max' },
      seed: { type: 'string', default: '1' },
      edits: { type: 'string', default: '20000' },
    },
  });
  if (positionals.length > 1) throw new Error('There is one trace to a replay.');
  return {
    trace: positionals[0],
    urls: values.url.map(serverUrl),
    perSecond: values.speed === 'max' ? null : speed(values.speed),
    seed: wholeNumber('--seed', values.seed, MAX_SEED),
    edits: wholeNumber('--edits', values.edits, MAX_EDITS),
  };
}

function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new Error(`--url must be an http or https address, it is "${text}".`);
  return text.replace(/\/+$/, '');
}

function speed(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0))
    throw new Error(`--speed must be max or a positive number, it is "${text}".`);
  return value;
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0 && value <= max))
    throw new Error(`${name} must be a whole number from 1 to ${max}, it is "${text}".`);
  return value;
}

/** The clients would try on and on, and say nothing. */
async function demandReachable(url: string): Promise<void> {
  try {
    await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(REACH_DEADLINE_MS) });
  } catch (fault) {
    const cause: unknown = fault instanceof Error ? (fault.cause ?? fault) : fault;
    throw new UnreachableError(`No server can be reached at ${url}: ${String(cause)}`, { cause: fault });
  }
}

interface OwnServer {
  readonly url: string;
  /** Ends it and removes what it stored. Throws when it does not end as it should. */
  stop(): Promise<void>;
}

async function startOwnServer(): Promise<OwnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'flow-replay-'));
  const clean = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    // It is to show how fast it goes, and types a thousand times as fast as people do.
    const env = { ...UNLIMITED, PORT: '0', DOCUMENT_DIR: join(directory, 'data'), LOG_LEVEL: 'info' };
    const server = await startServerProcess({ env, cwd: directory });
    return {
      url: server.url,
      async stop() {
        const { code, signal } = await server.end('SIGTERM');
        await clean();
        if (code !== 0) throw new Error(`The server ended with ${code ?? signal}:\n${server.lines.join('\n')}`);
      },
    };
  } catch (fault) {
    await clean();
    throw fault;
  }
}

async function run({ trace, urls, perSecond, seed, edits }: Arguments): Promise<boolean> {
  const history: History = trace ? await readTrace(trace) : makeHistory({ seed, edits, authors: 2 });
  await Promise.all(urls.map(demandReachable));
  const server = urls.length === 0 ? await startOwnServer() : null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Without this the server would outlive the replay.
    process.once(signal, () => {
      const exit = (): never => process.exit(EXIT_CODES[signal]);
      (server?.stop() ?? Promise.resolve()).then(exit, exit);
    });
  }
  let isEqual: boolean;
  try {
    console.log(
      `${trace ?? `a made-up history (seed ${seed})`}: ${history.edits.length} edits of ${history.authors} author(s)`,
    );
    isEqual = await replayAndTell(server ? [server.url] : urls, history, perSecond);
  } catch (fault) {
    await server?.stop().catch((stopFault: unknown) => console.error(stopFault));
    throw fault;
  }
  await server?.stop();
  return isEqual;
}

async function replayAndTell(urls: readonly string[], history: History, perSecond: number | null): Promise<boolean> {
  let shownAt = 0;
  const { problems, edits, seconds, deliveryMs, savedLagMs } = await replay({
    urls,
    history,
    perSecond,
    onProgress: ({ saved, total, held }) => {
      if (performance.now() - shownAt < SHOW_PROGRESS_MS) return;
      shownAt = performance.now();
      console.log(`  ${saved} of ${total} edits saved, ${held} held by their authors`);
    },
  });
  console.log(`${Math.round(edits / seconds)} edits/s (${seconds.toFixed(1)} s)`);
  console.log(`edit to other client  p50 ${deliveryMs.p50.toFixed(1)} ms  p99 ${deliveryMs.p99.toFixed(1)} ms`);
  console.log(`edit to saved         p50 ${savedLagMs.p50.toFixed(1)} ms  p99 ${savedLagMs.p99.toFixed(1)} ms`);
  for (const problem of problems) console.log(`WRONG: ${problem}`);
  const isEqual = problems.length === 0;
  console.log(
    isEqual ? `equal: ${history.authors + 1} clients and the server hold the same text` : 'the replay is not equal',
  );
  return isEqual;
}

function readArgumentsOrExplain(): Arguments | null {
  try {
    return readArguments();
  } catch (fault) {
    console.error(`${fault instanceof Error ? fault.message : String(fault)}\n\n${USAGE}`);
    return null;
  }
}

const given = readArgumentsOrExplain();
if (given === null) process.exitCode = INPUT_FAULT_EXIT_CODE;
else {
  run(given).then(
    (isEqual) => {
      process.exitCode = isEqual ? 0 : 1;
    },
    (fault: unknown) => {
      console.error(fault instanceof Error ? fault.message : fault);
      process.exitCode = fault instanceof TraceError || fault instanceof UnreachableError ? INPUT_FAULT_EXIT_CODE : 1;
    },
  );
}
