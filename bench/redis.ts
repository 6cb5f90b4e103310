import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { Bystanders, quietness } from './harness/bystanders';
import { elapse, until } from './harness/deadline';
import { scratchDirectory } from './harness/paths';
import { MeasuredRedis } from './harness/redis';
import type { Report } from './harness/report';
import { makeDocumentDirectory, MeasuredServer, SYSTEMS_ON_REDIS, type SystemName } from './harness/server';
import { median } from './harness/statistics';
import { Crowd } from './load/crowd';
import { typedUpdates } from './load/typing';

export interface RedisSizes {
  readonly instances: number;
  readonly sessions: number;
  readonly clientsPerSession: number;
  readonly rate: number;
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly settleMs: number;
}

export const REDIS: RedisSizes = {
  instances: 2,
  sessions: 20,
  clientsPerSession: 10,
  rate: 30,
  rounds: 3,
  warmUpMs: 4_000,
  measureMs: 10_000,
  settleMs: 500,
};

interface Measurement {
  readonly system: SystemName;
  readonly round: number;
  readonly cpuMicrosPerDelivery: number;
  /** Of it, what Redis used. */
  readonly redisMicrosPerDelivery: number;
  /** Of all instances and Redis, in cores. */
  readonly cores: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly loadLateP99Ms: number;
  readonly framesPerDelivery: number;
  readonly rssMiB: number;
  /** Command → calls per operation. */
  readonly calls: Readonly<Record<string, number>>;
  readonly otherCores: number;
}

const DELIVERY_DEADLINE_MS = 20_000;
const MIB = 2 ** 20;
const AIM_P99_MS = 30;
/** Less often than this per operation is housekeeping. */
const TOLD_CALLS = 0.005;

const FLAGS = {
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
  USE_REDIS_EVENT_ORDERING: 'true',
  REDIS_FALLBACK: 'exit',
};

export async function redis(sizes: RedisSizes): Promise<Report> {
  const measurements: Measurement[] = [];
  const { sessions, clientsPerSession, rate, warmUpMs, measureMs } = sizes;
  const mean = (rate * (warmUpMs + measureMs)) / 1_000;
  const enough = Math.ceil(mean + 8 * Math.sqrt(mean) + 20);
  const updates = Array.from({ length: sessions * clientsPerSession }, () => typedUpdates(enough));
  for (let round = 0; round < sizes.rounds; round += 1) {
    const order = round % 2 === 0 ? SYSTEMS_ON_REDIS : [...SYSTEMS_ON_REDIS].reverse();
    for (const system of order) measurements.push(await measure(system, round, sizes, updates));
  }
  return toReport(sizes, measurements);
}

async function measure(
  system: SystemName,
  round: number,
  sizes: RedisSizes,
  updates: readonly string[][],
): Promise<Measurement> {
  const store = await MeasuredRedis.start(mkdtempSync(path.join(scratchDirectory(), 'redis-')));
  const documents = makeDocumentDirectory();
  const servers: MeasuredServer[] = [];
  const crowd = new Crowd(updates);
  try {
    for (let index = 0; index < sizes.instances; index += 1) {
      const env = { REDIS_URL: store.url, INSTANCE_ID: `instance-${index}`, ...FLAGS };
      servers.push(await MeasuredServer.start(system, { env, documents, isRoaming: true }));
    }
    await crowd.connect(
      system,
      servers.map(({ port }) => port),
      sizes,
    );
    await crowd.type({ perSecond: sizes.rate, durationMs: sizes.warmUpMs });
    await until(DELIVERY_DEADLINE_MS, 'every edit to reach every client', () => crowd.isComplete());
    await elapse(sizes.settleMs);
    crowd.beginWindow();
    const bystanders = new Bystanders();
    const before = await usageOf(servers, store);
    const startedAt = performance.now();
    await crowd.type({ perSecond: sizes.rate, durationMs: sizes.measureMs });
    const after = await usageOf(servers, store);
    const elapsedMs = performance.now() - startedAt;
    const cpuMicros = after.cpuMicros - before.cpuMicros;
    const otherCores = bystanders.coresUsed(cpuMicros);
    await until(DELIVERY_DEADLINE_MS, 'every edit to reach every client', () => crowd.isComplete());
    const { deliveries, frames, p50Ms, p99Ms, loadLateP99Ms } = crowd.endWindow();
    const operations = deliveries / sizes.clientsPerSession;
    return {
      system,
      round,
      cpuMicrosPerDelivery: cpuMicros / deliveries,
      redisMicrosPerDelivery: (after.redisMicros - before.redisMicros) / deliveries,
      cores: cpuMicros / 1_000 / elapsedMs,
      p50Ms,
      p99Ms,
      loadLateP99Ms,
      framesPerDelivery: frames / deliveries,
      rssMiB: after.rssBytes / MIB,
      calls: callsBetween(before.calls, after.calls, operations),
      otherCores,
    };
  } finally {
    crowd.disconnect();
    for (const server of servers) await server.stop({ keepDocuments: server !== servers.at(-1) });
    await store.stop();
  }
}

interface Usage {
  readonly cpuMicros: number;
  readonly redisMicros: number;
  readonly rssBytes: number;
  readonly calls: ReadonlyMap<string, number>;
}

async function usageOf(servers: readonly MeasuredServer[], store: MeasuredRedis): Promise<Usage> {
  const usages = await Promise.all(servers.map((server) => server.ask('usage')));
  const { cpuMicros: redisMicros, calls } = await store.usage();
  return {
    cpuMicros: usages.reduce((sum, { cpuMicros }) => sum + cpuMicros, redisMicros),
    redisMicros,
    rssBytes: usages.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    calls,
  };
}

function callsBetween(
  before: Usage['calls'],
  after: Usage['calls'],
  operations: number,
): Readonly<Record<string, number>> {
  const calls: Record<string, number> = {};
  for (const [command, count] of after) {
    const perOperation = (count - (before.get(command) ?? 0)) / operations;
    if (perOperation >= TOLD_CALLS) calls[command] = perOperation;
  }
  return calls;
}

function toReport(sizes: RedisSizes, measurements: readonly Measurement[]): Report {
  const [relay, flow] = SYSTEMS_ON_REDIS;
  const of = (system: SystemName): Measurement[] => measurements.filter((one) => one.system === system);
  const middle = (system: SystemName, pick: (one: Measurement) => number): number => median(of(system).map(pick));
  const costs = of(flow).map(
    ({ cpuMicrosPerDelivery, round }) =>
      cpuMicrosPerDelivery / (of(relay).find((one) => one.round === round)?.cpuMicrosPerDelivery ?? Number.NaN),
  );
  const p99Ms = middle(flow, (one) => one.p99Ms);
  return {
    question:
      `What do order, saving and exactly-once delivery cost when ${sizes.instances} instances share a Redis, beside a bare Socket.IO relay ` +
      `with redis-adapter on as many? ${sizes.sessions} sessions × ${sizes.clientsPerSession} clients, each room spread over the instances, ` +
      `${sizes.rate} edits/s per client. CPU is that of all instances and of Redis.`,
    tables: [
      {
        title: `medians of ${sizes.rounds} rounds`,
        columns: [
          'system',
          'CPU µs per delivered operation',
          'of it Redis',
          'of the relay’s',
          'CPU, cores',
          'p50 ms',
          'p99 ms',
          'load late p99 ms',
          'messages per delivered operation',
          'RSS MiB',
        ],
        rows: SYSTEMS_ON_REDIS.map((system) => {
          const show = (pick: (one: Measurement) => number, digits: number): string =>
            middle(system, pick).toFixed(digits);
          return [
            system,
            show((one) => one.cpuMicrosPerDelivery, 2),
            show((one) => one.redisMicrosPerDelivery, 2),
            system === flow ? median(costs).toFixed(2) : '1.00',
            show((one) => one.cores, 2),
            show((one) => one.p50Ms, 2),
            show((one) => one.p99Ms, 2),
            show((one) => one.loadLateP99Ms, 2),
            show((one) => one.framesPerDelivery, 2),
            show((one) => one.rssMiB, 0),
          ];
        }),
      },
      {
        title: 'Redis commands per operation, those inside of scripts too; in the last round',
        columns: ['system', 'commands'],
        rows: SYSTEMS_ON_REDIS.map((system) => [system, callsText(of(system).at(-1)?.calls ?? {})]),
      },
    ],
    findings: [
      `${median(costs) < 1 ? 'Aim met' : 'AIM MISSED'}: cheaper per delivered operation than the relay: ${costs.map((cost) => cost.toFixed(2)).join(', ')} of its CPU.`,
      `${p99Ms < AIM_P99_MS ? 'Aim met' : 'AIM MISSED'}: p99 below ${AIM_P99_MS} ms: ${p99Ms.toFixed(1)} ms.`,
      quietness(measurements.map(({ otherCores }) => otherCores)),
      'Checked: every edit reached every client of its session, watchers saw each author’s edits in order, nothing was refused, and Flow said of every edit that it was saved.',
    ],
    notMeasured: [
      'networks (all is loopback)',
      'Redis Cluster',
      'TLS',
      'awareness',
      'a core for each process: instances, Redis and load share what there is, so latencies are those of a full machine',
    ],
    figures: { sizes, measurements },
  };
}

const callsText = (calls: Readonly<Record<string, number>>): string =>
  Object.entries(calls)
    .sort(([, a], [, b]) => b - a)
    .map(([command, count]) => `${command} ${count.toFixed(2)}`)
    .join(', ');
