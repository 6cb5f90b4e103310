import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../config/load-config';
import { systemClock } from '../src/lib/clock';
import { silentLogger } from '../src/lib/logger';
import { RedisEventOrdering } from '../src/ordering/redis-event-ordering';
import { GENESIS } from '../src/protocol/positions';
import { RedisKeys } from '../src/redis/keys';
import { RedisConnections } from '../src/redis/redis-connections';
import { RedisHints } from '../src/redis/redis-hints';
import { Telemetry } from '../src/telemetry/telemetry';
import { Bystanders, quietness } from './harness/bystanders';
import { scratchDirectory } from './harness/paths';
import { MeasuredRedis } from './harness/redis';
import type { Report } from './harness/report';
import { median, Samples } from './harness/statistics';

export interface OrderingSizes {
  readonly sessions: number;
  /** Appends of one session that are under way at once. */
  readonly atOnce: readonly number[];
  readonly rounds: number;
  readonly measureMs: number;
}

export const ORDERING: OrderingSizes = { sessions: 20, atOnce: [1, 16], rounds: 3, measureMs: 5_000 };

interface Measurement {
  readonly atOnce: number;
  readonly appendsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly redisMicrosPerAppend: number;
  readonly otherCores: number;
}

/** As one typed character is. */
const OPERATION = '["AQHs4fKpCQCEq4fKpCQABMQ=="]';
/** So often what was appended counts as saved, and leaves the hot log. */
const SAVE_EVERY = 256;

export async function ordering(sizes: OrderingSizes): Promise<Report> {
  const measurements: Measurement[] = [];
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const atOnce of sizes.atOnce) measurements.push(await measure(sizes, atOnce));
  }
  const of = (atOnce: number): Measurement[] => measurements.filter((one) => one.atOnce === atOnce);
  const show = (atOnce: number, pick: (one: Measurement) => number, digits: number): string =>
    median(of(atOnce).map(pick)).toFixed(digits);
  return {
    question: `How many appends a second does one instance get through RedisEventOrdering, over ${sizes.sessions} sessions?`,
    tables: [
      {
        title: `medians of ${sizes.rounds} rounds`,
        columns: ['appends of a session under way', 'appends/s', 'p50 ms', 'p99 ms', 'Redis CPU µs per append'],
        rows: sizes.atOnce.map((atOnce) => [
          String(atOnce),
          show(atOnce, (one) => one.appendsPerSecond, 0),
          show(atOnce, (one) => one.p50Ms, 2),
          show(atOnce, (one) => one.p99Ms, 2),
          show(atOnce, (one) => one.redisMicrosPerAppend, 1),
        ]),
      },
    ],
    findings: [
      quietness(measurements.map(({ otherCores }) => otherCores)),
      'Checked: every append was accepted, at the position that continues its session.',
    ],
    notMeasured: [
      'networks (all is loopback)',
      'Redis Cluster',
      'a document store: what is appended only counts as saved',
    ],
    figures: { sizes, measurements },
  };
}

async function measure(sizes: OrderingSizes, atOnce: number): Promise<Measurement> {
  const server = await MeasuredRedis.start(mkdtempSync(path.join(scratchDirectory(), 'redis-')));
  const settings = loadConfig({ REDIS_URL: server.url }).redis;
  const redis = new RedisConnections({
    settings,
    instanceId: 'bench',
    clock: systemClock,
    log: silentLogger,
    telemetry: new Telemetry(),
  });
  const hints = new RedisHints({ redis, log: silentLogger });
  const order = new RedisEventOrdering({ redis, hints, keys: new RedisKeys('bench:'), clock: systemClock });
  try {
    await redis.start();
    const before = await server.usage();
    const bystanders = new Bystanders();
    const samples = new Samples();
    const endsAt = performance.now() + sizes.measureMs;
    const ids = Array.from({ length: sizes.sessions }, (_, index) => `session-${index}`);
    await Promise.all(ids.map((sessionId) => appendUntil(order, sessionId, { atOnce, endsAt, samples })));
    const after = await server.usage();
    const redisMicros = after.cpuMicros - before.cpuMicros;
    return {
      atOnce,
      appendsPerSecond: samples.count / (sizes.measureMs / 1_000),
      p50Ms: samples.percentile(0.5),
      p99Ms: samples.percentile(0.99),
      redisMicrosPerAppend: redisMicros / samples.count,
      otherCores: bystanders.coresUsed(redisMicros),
    };
  } finally {
    await redis.stop();
    await server.stop();
  }
}

/** As many clients as appends under way, each waiting for its own answer. */
async function appendUntil(
  order: RedisEventOrdering,
  sessionId: string,
  { atOnce, endsAt, samples }: { atOnce: number; endsAt: number; samples: Samples },
): Promise<void> {
  await order.seed(sessionId, 1, GENESIS);
  let seq = 0;
  async function type(clientId: string): Promise<void> {
    await order.admit(sessionId, 1, clientId, null);
    for (let clientSeq = 1; performance.now() < endsAt; clientSeq += 1) {
      const startedAt = performance.now();
      const batch = { epoch: 1, clientId, userId: 'user', firstClientSeq: clientSeq, count: 1, operations: OPERATION };
      const result = await order.append(sessionId, batch);
      samples.add(performance.now() - startedAt);
      if (result.status !== 'accepted') throw new Error(`an append was answered ${result.status}`);
      const { entry } = result;
      seq += 1;
      if (atOnce === 1 && entry.seq !== seq) throw new Error(`append ${seq} came to ${entry.seq}`);
      if (entry.seq % SAVE_EVERY === 0) await order.markSaved(sessionId, { epoch: 1, seq: entry.seq, tag: entry.tag });
    }
  }
  await Promise.all(Array.from({ length: atOnce }, (_, index) => type(`client-${index}`)));
}
