import { Bystanders, quietness } from './harness/bystanders';
import { elapse, until } from './harness/deadline';
import type { Report } from './harness/report';
import { MeasuredServer, SYSTEMS, type SystemName } from './harness/server';
import { median } from './harness/statistics';
import { Crowd } from './load/crowd';
import { typedUpdates } from './load/typing';

export interface FanOutSizes {
  readonly sessions: number;
  readonly clientsPerSession: number;
  /** Edits per second and client, each measured in turn on the same servers. */
  readonly rates: readonly number[];
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Between two measurements: the last frames, the last flush. */
  readonly settleMs: number;
}

export const FAN_OUT: FanOutSizes = {
  sessions: 20,
  clientsPerSession: 10,
  rates: [2, 30],
  rounds: 3,
  warmUpMs: 4_000,
  measureMs: 10_000,
  settleMs: 500,
};

interface Measurement {
  readonly system: SystemName;
  readonly round: number;
  readonly editsPerSecondAndClient: number;
  readonly deliveries: number;
  readonly cpuMicrosPerDelivery: number;
  /** Share of one core. */
  readonly cpuShare: number;
  /** Edit to another client, from the moment the edit was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The same from the moment it was sent. */
  readonly sentP50Ms: number;
  readonly sentP99Ms: number;
  /** How late the load itself was: beyond a millisecond or so it measures itself. */
  readonly loadLateP99Ms: number;
  readonly framesPerDelivery: number;
  readonly bytesPerDelivery: number;
  readonly rssMiB: number;
  /** Cores that neither the server nor the load kept busy. */
  readonly otherCores: number;
}

const DELIVERY_DEADLINE_MS = 15_000;
const MIB = 2 ** 20;

/** Aims of this project, in the words of the benchmark's page. */
const AIMS = { busyP99Ms: 25, calmP50BehindSocketIoMs: 0.3 };

export async function fanOut(sizes: FanOutSizes, nodeFlags: readonly string[] = []): Promise<Report> {
  const measurements: Measurement[] = [];
  const updates = makeUpdates(sizes);
  for (let round = 0; round < sizes.rounds; round += 1) {
    // Each round in another order, so that none always runs on a warmer or a quieter machine.
    const order = SYSTEMS.map((_, index) => SYSTEMS[(index + round) % SYSTEMS.length] ?? 'Flow');
    for (const system of order) {
      const flags = system === 'Flow' ? nodeFlags : [];
      measurements.push(...(await measureSystem(system, round, sizes, updates, flags)));
    }
  }
  return toReport(sizes, measurements);
}

async function measureSystem(
  system: SystemName,
  round: number,
  sizes: FanOutSizes,
  updates: readonly string[][],
  nodeFlags: readonly string[],
): Promise<Measurement[]> {
  const server = await MeasuredServer.start(system, { nodeFlags });
  const crowd = new Crowd(updates);
  try {
    await crowd.connect(system, [server.port], sizes);
    await crowd.type({ perSecond: Math.max(...sizes.rates), durationMs: sizes.warmUpMs });
    const measurements: Measurement[] = [];
    for (const rate of sizes.rates) {
      await until(DELIVERY_DEADLINE_MS, 'every edit to reach every client', () => crowd.isComplete());
      await elapse(sizes.settleMs);
      crowd.beginWindow();
      const bystanders = new Bystanders();
      const before = await server.ask('usage');
      const startedAt = performance.now();
      await crowd.type({ perSecond: rate, durationMs: sizes.measureMs });
      const after = await server.ask('usage');
      const elapsedMs = performance.now() - startedAt;
      const otherCores = bystanders.coresUsed(after.cpuMicros - before.cpuMicros);
      await until(DELIVERY_DEADLINE_MS, 'every edit to reach every client', () => crowd.isComplete());
      const { deliveries, frames, bytes, ...latencies } = crowd.endWindow();
      const cpuMicros = after.cpuMicros - before.cpuMicros;
      measurements.push({
        system,
        round,
        editsPerSecondAndClient: rate,
        deliveries,
        cpuMicrosPerDelivery: cpuMicros / deliveries,
        cpuShare: cpuMicros / 1_000 / elapsedMs,
        ...latencies,
        framesPerDelivery: frames / deliveries,
        bytesPerDelivery: bytes / deliveries,
        rssMiB: after.rssBytes / MIB,
        otherCores,
      });
    }
    return measurements;
  } finally {
    crowd.disconnect();
    await server.stop();
  }
}

/** Enough for every client, with room for chance: a Poisson count strays by a few of its square roots. */
function makeUpdates({ sessions, clientsPerSession, rates, warmUpMs, measureMs }: FanOutSizes): string[][] {
  const busiest = Math.max(...rates);
  const mean = (busiest * warmUpMs + rates.reduce((sum, rate) => sum + rate, 0) * measureMs) / 1_000;
  const enough = Math.ceil(mean + 8 * Math.sqrt(mean) + 20);
  return Array.from({ length: sessions * clientsPerSession }, () => typedUpdates(enough));
}

function toReport(sizes: FanOutSizes, measurements: readonly Measurement[]): Report {
  const of = (system: SystemName, rate: number): Measurement[] =>
    measurements.filter((one) => one.system === system && one.editsPerSecondAndClient === rate);
  const middle = (system: SystemName, rate: number, pick: (one: Measurement) => number): number =>
    median(of(system, rate).map(pick));

  const tables = sizes.rates.map((rate) => ({
    title: `${rate} edits/s per client: medians of ${sizes.rounds} rounds`,
    columns: [
      'system',
      'CPU µs per delivered operation',
      'of the ws relay’s',
      'CPU, one core',
      'p50 ms',
      'p99 ms',
      'p50, p99 from sending',
      'load late p99 ms',
      'messages per delivered operation',
      'bytes',
      'RSS MiB',
    ],
    rows: SYSTEMS.map((system) => {
      const show = (pick: (one: Measurement) => number, digits: number): string =>
        middle(system, rate, pick).toFixed(digits);
      const ratio = median(
        of(system, rate).map(
          (one, round) => one.cpuMicrosPerDelivery / (of('ws relay', rate)[round]?.cpuMicrosPerDelivery ?? Number.NaN),
        ),
      );
      return [
        system,
        show((one) => one.cpuMicrosPerDelivery, 2),
        ratio.toFixed(2),
        `${show((one) => one.cpuShare * 100, 0)} %`,
        show((one) => one.p50Ms, 2),
        show((one) => one.p99Ms, 2),
        `${show((one) => one.sentP50Ms, 2)}, ${show((one) => one.sentP99Ms, 2)}`,
        show((one) => one.loadLateP99Ms, 2),
        show((one) => one.framesPerDelivery, 2),
        show((one) => one.bytesPerDelivery, 0),
        show((one) => one.rssMiB, 0),
      ];
    }),
  }));

  const busy = Math.max(...sizes.rates);
  const calm = Math.min(...sizes.rates);
  const behindMs = median(
    of('Flow', calm).map((one, round) => one.p50Ms - (of('Socket.IO relay', calm)[round]?.p50Ms ?? Number.NaN)),
  );
  const costs = of('Flow', busy).map(
    (one, round) => one.cpuMicrosPerDelivery / (of('ws relay', busy)[round]?.cpuMicrosPerDelivery ?? Number.NaN),
  );
  const busyP99Ms = middle('Flow', busy, (one) => one.p99Ms);
  return {
    question:
      `What does order, saving and exactly-once delivery cost beside relays that only pass bytes on? ${sizes.sessions} sessions × ` +
      `${sizes.clientsPerSession} clients, every edit to all clients of its session, its author included.`,
    tables,
    findings: [
      aim(
        median(costs) < 1,
        `at ${busy} edits/s cheaper per delivered operation than the ws relay: ${costs.map((cost) => cost.toFixed(2)).join(', ')} of its CPU`,
      ),
      aim(busyP99Ms < AIMS.busyP99Ms, `at ${busy} edits/s p99 below ${AIMS.busyP99Ms} ms: ${busyP99Ms.toFixed(1)} ms`),
      aim(
        behindMs <= AIMS.calmP50BehindSocketIoMs,
        `at ${calm} edits/s p50 within ${AIMS.calmP50BehindSocketIoMs} ms of the Socket.IO relay: ${behindMs.toFixed(2)} ms`,
      ),
      quietness(measurements.map(({ otherCores }) => otherCores)),
      'Checked: every edit reached every client of its session, watchers saw each author’s edits in order, nothing was refused, and Flow said of every edit that it was saved.',
    ],
    notMeasured: [
      'networks (all is loopback)',
      'the work of real clients',
      'TLS',
      'awareness',
      'more than one server core',
      'what the kernel does for the load’s side of a connection on another core',
    ],
    figures: { sizes, measurements },
  };
}

const aim = (isMet: boolean, what: string): string => `${isMet ? 'Aim met' : 'AIM MISSED'}: ${what}.`;
