// npm run bench [-- <name> …] [--quick | --write]: runs the benchmarks, prints markdown, leaves JSON in bench/reports/.
// --write also puts the figures into docs/benchmarks.md, in place of those that are there.
// --quick shows in seconds that everything runs; its figures mean nothing.
import { existsSync, rmSync } from 'node:fs';
import { FAN_OUT, fanOut } from './fan-out';
import { JOIN, join } from './join';
import { MEMORY, memory } from './memory';
import { ORDERING, ordering } from './ordering';
import { REDIS, redis } from './redis';
import { SESSIONS, sessions } from './sessions';
import { describeMachine } from './harness/machine';
import { FLOW_ENTRY, scratchDirectory } from './harness/paths';
import { isPinned, pinLoad } from './harness/pinning';
import { type Report, toMarkdown, writeFigures, writeReport } from './harness/report';

interface Benchmark {
  readonly run: () => Promise<Report>;
  readonly quick: () => Promise<Report>;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  'fan-out': {
    run: () => fanOut(FAN_OUT),
    quick: () =>
      fanOut({
        sessions: 2,
        clientsPerSession: 2,
        rates: [20, 50],
        rounds: 1,
        warmUpMs: 100,
        measureMs: 300,
        settleMs: 50,
      }),
  },
  sessions: {
    run: () => sessions(SESSIONS),
    quick: () =>
      sessions({
        open: [2, 20],
        perSecond: 100,
        connections: 3,
        rounds: 1,
        warmUpMs: 100,
        measureMs: 300,
        settleMs: 50,
      }),
  },
  memory: {
    run: () => memory(MEMORY),
    quick: () => memory({ connections: 20, sessions: 20, rounds: 1, settleMs: 50 }),
  },
  join: { run: () => join(JOIN), quick: () => join({ edits: 1_000 }) },
  ordering: {
    run: () => ordering(ORDERING),
    quick: () => ordering({ sessions: 2, atOnce: [1, 2], rounds: 1, measureMs: 200 }),
  },
  redis: {
    run: () => redis(REDIS),
    quick: () =>
      redis({
        instances: 2,
        sessions: 2,
        clientsPerSession: 2,
        rate: 50,
        rounds: 1,
        warmUpMs: 100,
        measureMs: 300,
        settleMs: 50,
      }),
  },
};

async function main(args: readonly string[]): Promise<void> {
  const isQuick = args.includes('--quick');
  const isWriting = args.includes('--write') && !isQuick;
  const asked = args.filter((arg) => !arg.startsWith('--'));
  const names = asked.length > 0 ? asked : Object.keys(BENCHMARKS);
  if (isWriting && asked.length > 0) throw new Error('--write takes all benchmarks');
  const unknown = names.filter((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown.length > 0)
    throw new Error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  if (!existsSync(FLOW_ENTRY)) throw new Error('dist/ is missing: npm run build');

  const machine = describeMachine();
  pinLoad();
  if (!isPinned) console.error('no taskset, or one core only: server and load share what there is');
  const pages: string[] = [];
  for (const name of names) {
    const benchmark = BENCHMARKS[name];
    if (!benchmark) continue;
    const startedAt = performance.now();
    const report = await (isQuick ? benchmark.quick() : benchmark.run());
    const title = isQuick ? `${name} (quick: the figures mean nothing)` : name;
    const page = toMarkdown(title, report, machine);
    console.log(page, '\n');
    pages.push(page);
    const file = writeReport(isQuick ? `quick-${name}` : name, report, machine);
    console.error(`${name}: ${((performance.now() - startedAt) / 1_000).toFixed(0)} s, ${file}`);
  }
  if (isWriting) writeFigures(pages);
}

main(process.argv.slice(2))
  .catch((fault: unknown) => {
    console.error(fault instanceof Error ? fault.message : fault);
    process.exitCode = 1;
  })
  .finally(() => rmSync(scratchDirectory(), { recursive: true, force: true }));
