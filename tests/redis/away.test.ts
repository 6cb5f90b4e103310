import { ABSENCES, withRedisAway } from '../support/redis-away';
import { RedisServer } from '../support/redis-server';
import { Processes } from '../support/server-process';

const processes = new Processes();
let redis: RedisServer;
beforeEach(async () => {
  redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const MIB = 1_048_576;

describe('with Redis away for five seconds nothing is lost, nobody falls, and it is said', () => {
  test.each(Object.entries(ABSENCES))('%s', async (_how, absence) => {
    const seen = await withRedisAway(processes, redis, absence, 5_000);
    expect(Math.max(...seen.lines)).toBeLessThan(40);
    expect(Math.max(...seen.grownBytes)).toBeLessThan(100 * MIB);
    expect(seen.recoveredMs).toBeLessThan(2_000);
    for (const held of seen.held) expect(held).toBeGreaterThan(50);
    for (const state of seen.said) expect(['saving', 'connecting', 'offline']).toContain(state);
    for (const [index, history] of seen.histories.entries()) {
      expect(history).toEqual(Array.from({ length: seen.written[index] ?? 0 }, (_, number) => number + 1));
    }
  });
});
