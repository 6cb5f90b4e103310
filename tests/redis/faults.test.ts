import { eventually } from '../support/eventually';
import { FAULTS, refusingStore, type FaultName } from '../support/redis-faults';
import { replayThrough } from '../support/redis-faulty-replay';
import { replayWithFault } from '../support/redis-replay';
import { RedisServer } from '../support/redis-server';
import type { AnyRedis } from '../support/redis-topology';
import { Dice } from '../support/schedule/dice';
import { brokenServer, Processes } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const DEADLINE_MS = 120_000;

/** Each alone; in mixtures they come in redis-mixtures.long.ts. */
const ALONE: ReadonlyArray<readonly [FaultName, AnyRedis['kind']]> = [
  ['every hint lost', 'single'],
  ['hints doubled and reordered', 'single'],
  ['subscribers cut', 'single'],
  ['SCRIPT FLUSH', 'single'],
  ['FLUSHALL', 'single'],
  ['Redis killed, started again with what it wrote', 'single'],
  ['Redis killed, started again empty', 'single'],
  ['Redis stands still', 'single'],
  ['maxmemory reached', 'single'],
  ['a stale replica promoted, the old master serves on', 'single'],
  ['master killed, its replica promoted', 'sentinel'],
  ['master stands still, its replica promoted', 'sentinel'],
  ['master killed, its replica promoted', 'cluster'],
  ["the session's slot moved to another node", 'cluster'],
  ['an instance killed', 'single'],
  ['the instance that saves killed', 'single'],
  ['all instances killed', 'single'],
  ['all instances stand still', 'single'],
  ['an instance stands still in the middle of opening', 'single'],
];

describe('a replay over three instances ends equal through', () => {
  test.each(ALONE)(
    '%s (%s)',
    async (name, kind) => {
      let count = 0;
      const { report } = await replayThrough({
        processes,
        kind,
        async happen(world) {
          count = await FAULTS[name].happen(world, new Dice(1, name));
        },
      });
      expect(report.problems).toEqual([]);
      expect(count).toBeGreaterThan(0);
    },
    DEADLINE_MS,
  );

  test(
    'the store refuses for five seconds',
    async () => {
      let count = 0;
      const { report } = await replayThrough({
        processes,
        kind: 'single',
        command: brokenServer('refusing-store'),
        async happen(world) {
          count = await refusingStore(world, 5_000);
        },
      });
      expect(report.problems).toEqual([]);
      expect(count).toBeGreaterThan(0);
    },
    DEADLINE_MS,
  );

  test(
    'Redis comes back with an older dump',
    async () => {
      const redis = await RedisServer.start('--appendonly', 'no');
      processes.onClean(() => redis.stop());
      const { report } = await replayWithFault({
        processes,
        redis: { REDIS_URL: redis.url },
        async fault({ running, servers }) {
          const { saved } = running.register;
          await redis.command((client) => client.call('SAVE'));
          const dumpedAt = saved.length;
          await eventually('more than the dump has', () => saved.length > dumpedAt + 300);
          await redis.kill();
          await redis.launch();
          await eventually('the older log is noticed', () =>
            servers.some(({ lines }) =>
              lines.some((line) => line.includes('discontinuity; opening the session again')),
            ),
          );
        },
      });
      expect(report.problems).toEqual([]);
    },
    DEADLINE_MS,
  );
});

test(
  '[SV2] what the last instance with the session open left unsaved, another one saves that never had it open',
  async () => {
    let orphaned = 0;
    const { report } = await replayThrough({
      processes,
      kind: 'single',
      instances: 2,
      instancesInUse: 1,
      // So that something is unsaved at any time.
      env: { SAVE_INTERVAL_MS: '400' },
      async happen(world) {
        const [server] = world.cluster.servers;
        await world.until('edits that are not saved yet', async () => {
          const { seq, savedSeq } = await world.hot();
          return seq - savedSeq > 50;
        });
        await server?.end('SIGKILL');
        const left = await world.hot();
        orphaned = left.seq - left.savedSeq;
        await world.until('the other one to save them', async () => (await world.hot()).savedSeq === left.seq);
        expect(await world.saver()).toBe(1);
        await world.cluster.restart(0);
      },
    });
    expect(report.problems).toEqual([]);
    expect(orphaned).toBeGreaterThan(0);
  },
  DEADLINE_MS,
);
