import { eventually } from '../support/eventually';
import { replayWithFault } from '../support/redis-replay';
import { RedisServer } from '../support/redis-server';
import { beside, DEADLINE_MS, replaysEndEqual } from '../support/redis-fault-suite';

replaysEndEqual([
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
]);

test.concurrent(
  'a replay over three instances ends equal when Redis comes back with an older dump',
  () =>
    beside(async (processes) => {
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
    }),
  DEADLINE_MS,
);
