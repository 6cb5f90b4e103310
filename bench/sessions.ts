import { Bystanders, quietness } from './harness/bystanders';
import { elapse, until } from './harness/deadline';
import type { Report } from './harness/report';
import { MeasuredServer } from './harness/server';
import { median } from './harness/statistics';
import { SessionField } from './load/session-field';

export interface SessionSizes {
  /** Sessions open in one server, each row of the answer. */
  readonly open: readonly number[];
  /** Edits per second over all sessions, the same however many there are. */
  readonly perSecond: number;
  readonly connections: number;
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Between two measurements: the last frames, the last flush. */
  readonly settleMs: number;
}

export const SESSIONS: SessionSizes = {
  open: [10, 1_000, 10_000],
  perSecond: 1_000,
  connections: 20,
  rounds: 3,
  warmUpMs: 4_000,
  measureMs: 8_000,
  settleMs: 1_000,
};

interface Measurement {
  readonly open: number;
  readonly round: number;
  readonly operations: number;
  readonly cpuMicrosPerOperation: number;
  /** CPU with every session open and nobody typing, microseconds per second. */
  readonly idleCpuMicrosPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Cores that neither the server nor the load kept busy. */
  readonly otherCores: number;
}

const DELIVERY_DEADLINE_MS = 15_000;

export async function sessions(sizes: SessionSizes): Promise<Report> {
  const measurements: Measurement[] = [];
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const open of sizes.open) measurements.push(await measure(open, round, sizes));
  }
  return toReport(sizes, measurements);
}

async function measure(open: number, round: number, sizes: SessionSizes): Promise<Measurement> {
  const server = await MeasuredServer.start('Flow');
  const field = new SessionField();
  try {
    await field.open(server.port, { sessions: open, connections: sizes.connections });
    await field.type({ perSecond: sizes.perSecond, durationMs: sizes.warmUpMs });
    await until(DELIVERY_DEADLINE_MS, 'every edit to come back', () => field.isComplete());
    await elapse(sizes.settleMs);

    const idleFrom = await server.ask('usage');
    const idleSince = performance.now();
    await elapse(sizes.measureMs / 2);
    const idleTo = await server.ask('usage');
    const idleSeconds = (performance.now() - idleSince) / 1_000;

    field.beginWindow();
    const bystanders = new Bystanders();
    const before = await server.ask('usage');
    await field.type({ perSecond: sizes.perSecond, durationMs: sizes.measureMs });
    const after = await server.ask('usage');
    const otherCores = bystanders.coresUsed(after.cpuMicros - before.cpuMicros);
    await until(DELIVERY_DEADLINE_MS, 'every edit to come back', () => field.isComplete());
    const { operations, p50Ms, p99Ms } = field.endWindow();
    return {
      open,
      round,
      operations,
      cpuMicrosPerOperation: (after.cpuMicros - before.cpuMicros) / operations,
      idleCpuMicrosPerSecond: (idleTo.cpuMicros - idleFrom.cpuMicros) / idleSeconds,
      p50Ms,
      p99Ms,
      otherCores,
    };
  } finally {
    field.close();
    await server.stop();
  }
}

function toReport(sizes: SessionSizes, measurements: readonly Measurement[]): Report {
  const of = (open: number): Measurement[] => measurements.filter((one) => one.open === open);
  const fewest = of(Math.min(...sizes.open));
  const show = (open: number, pick: (one: Measurement) => number, digits: number): string =>
    median(of(open).map(pick)).toFixed(digits);
  return {
    question:
      `Does an operation cost more when more sessions are open? ${sizes.perSecond} edits/s in all, spread at random over the open ` +
      `sessions; each session is joined by two of ${sizes.connections} connections.`,
    tables: [
      {
        title: `medians of ${sizes.rounds} rounds`,
        columns: [
          'open sessions',
          'CPU µs per operation',
          'of the first row',
          'idle CPU, one core',
          'p50 ms',
          'p99 ms',
        ],
        rows: sizes.open.map((open) => [
          String(open),
          show(open, (one) => one.cpuMicrosPerOperation, 1),
          median(
            of(open).map(
              (one, round) => one.cpuMicrosPerOperation / (fewest[round]?.cpuMicrosPerOperation ?? Number.NaN),
            ),
          ).toFixed(2),
          `${show(open, (one) => one.idleCpuMicrosPerSecond / 10_000, 1)} %`,
          show(open, (one) => one.p50Ms, 2),
          show(open, (one) => one.p99Ms, 2),
        ]),
      },
    ],
    findings: [
      quietness(measurements.map((one) => one.otherCores)),
      'Checked: every edit came back to both connections of its session, in order.',
    ],
    notMeasured: [
      'one connection per session (that is the memory benchmark’s question)',
      'opening and closing sessions while others type',
      'snapshots: the more sessions share the edits, the fewer of them reach the number that makes one due',
    ],
    figures: { sizes, measurements },
  };
}
