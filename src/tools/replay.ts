import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { replay } from './replay-run';
import { startServerProcess } from './server-process';
import { makeHistory, readTrace, type History } from './traces';

const USAGE = `npm run replay -- [trace.json.gz] [--url URL] [--speed max|N] [--seed N] [--edits N]

  trace.json.gz  an editing history of the editing-traces collection; without one, two authors are made up
  --url URL      a running server; without it, one is started for the replay
  --speed        edits per second of each author, or max (default)
  --seed, --edits  of the made-up history (default 1 and 20000; 260000 is a long one)`;

interface Arguments {
  readonly trace: string | undefined;
  readonly url: string | undefined;
  readonly perSecond: number | null;
  readonly seed: number;
  readonly edits: number;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      speed: { type: 'string', default: 'max' },
      seed: { type: 'string', default: '1' },
      edits: { type: 'string', default: '20000' },
    },
  });
  if (positionals.length > 1) throw new Error('There is one trace to a replay.');
  return {
    trace: positionals[0],
    url: values.url?.replace(/\/$/, ''),
    perSecond: values.speed === 'max' ? null : positive('--speed', values.speed),
    seed: positive('--seed', values.seed),
    edits: positive('--edits', values.edits),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new Error(`${name} must be a positive number, it is ${text}.`);
  return value;
}

async function run({ trace, url, perSecond, seed, edits }: Arguments): Promise<boolean> {
  const history: History = trace ? await readTrace(trace) : makeHistory({ seed, edits, authors: 2 });
  const directory = url ? null : await mkdtemp(join(tmpdir(), 'flow-replay-'));
  const server = directory
    ? await startServerProcess({
        env: { PORT: '0', DOCUMENT_DIR: join(directory, 'data'), LOG_LEVEL: 'info' },
        cwd: directory,
      })
    : null;
  let lastShown = 0;
  try {
    console.log(
      `${trace ?? `a made-up history (seed ${seed})`}: ${history.edits.length} edits of ${history.authors} author(s)`,
    );
    const report = await replay({
      url: url ?? server?.url ?? '',
      history,
      perSecond,
      onProgress: ({ saved, total, held }) => {
        if (performance.now() - lastShown < 1_000) return;
        lastShown = performance.now();
        console.log(`  ${saved} of ${total} edits saved, ${held} held by their authors`);
      },
    });
    const { deliveryMs, savedLagMs, seconds } = report;
    console.log(`${Math.round(report.edits / seconds)} edits/s (${seconds.toFixed(1)} s)`);
    console.log(`edit to other client  p50 ${deliveryMs.p50.toFixed(1)} ms  p99 ${deliveryMs.p99.toFixed(1)} ms`);
    console.log(`edit to saved         p50 ${savedLagMs.p50.toFixed(1)} ms  p99 ${savedLagMs.p99.toFixed(1)} ms`);
    for (const problem of report.problems) console.log(`WRONG: ${problem}`);
    const readers = history.authors + 1;
    console.log(
      report.problems.length === 0
        ? `equal: ${readers} clients and the server hold the same text`
        : 'the replay is not equal',
    );
    return report.problems.length === 0;
  } finally {
    const ended = await server?.end('SIGTERM');
    if (ended && ended.code !== 0) throw new Error(`The server ended with ${ended.code ?? ended.signal}.`);
    if (directory) await rm(directory, { recursive: true, force: true });
  }
}

try {
  run(readArguments()).then(
    (isEqual) => {
      process.exitCode = isEqual ? 0 : 1;
    },
    (fault: unknown) => {
      console.error(fault instanceof Error ? fault.message : fault);
      process.exitCode = 1;
    },
  );
} catch (fault) {
  console.error(`${fault instanceof Error ? fault.message : String(fault)}\n\n${USAGE}`);
  process.exitCode = 2;
}
