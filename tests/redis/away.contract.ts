import { ABSENCES, withRedisAway } from '../support/redis-away';
import { RedisServer } from '../support/redis-server';
import { Processes } from '../support/server-process';

interface Bounds {
  /** Log lines of one instance: what is said once per outage, and once every ten seconds about slowness. */
  readonly maxLines: number;
  readonly maxGrownBytes: number;
  /** Edits that every client keeps meanwhile, more than this. */
  readonly leastHeld: number;
}

/** Redis is away for a while, killed or stopped: nothing is lost, nobody falls, and it is said. */
export function redisAwaySuite(name: string, awayMs: number, { maxLines, maxGrownBytes, leastHeld }: Bounds): void {
  const processes = new Processes();
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
  });
  afterEach(async () => {
    await processes.clean();
    await redis.stop();
  });

  describe(`with Redis away for ${name} nothing is lost, nobody falls, and it is said`, () => {
    test.each(Object.entries(ABSENCES))('%s', async (_how, absence) => {
      const seen = await withRedisAway(processes, redis, absence, awayMs);
      expect(Math.max(...seen.lines)).toBeLessThan(maxLines);
      expect(Math.max(...seen.grownBytes)).toBeLessThan(maxGrownBytes);
      expect(seen.recoveredMs).toBeLessThan(2_000);
      for (const held of seen.held) expect(held).toBeGreaterThan(leastHeld);
      for (const state of seen.said) expect(['saving', 'connecting', 'offline']).toContain(state);
      for (const [index, history] of seen.histories.entries()) {
        expect(history).toEqual(Array.from({ length: seen.written[index] ?? 0 }, (_, number) => number + 1));
      }
    });
  });
}
