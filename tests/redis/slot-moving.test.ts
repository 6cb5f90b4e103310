import { loadConfig } from '../../config/load-config';
import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisKeys } from '../../src/redis/keys';
import { RedisConnections } from '../../src/redis/redis-connections';
import { RedisHints } from '../../src/redis/redis-hints';
import { Telemetry } from '../../src/telemetry/telemetry';
import { ClusterRedis } from '../support/redis-topology';

const SESSION = 's-on-the-way';
const BEGIN = { seq: 0, tag: '' };

test('while its slot moves, a session whose keys are all still there is edited and saved as ever', async () => {
  const cluster = await ClusterRedis.start();
  const { redis: settings } = loadConfig(cluster.variables());
  const keys = new RedisKeys(settings.keyPrefix);
  const shared = { clock: systemClock, log: silentLogger };
  const redis = new RedisConnections({ ...shared, settings, instanceId: 'one', telemetry: new Telemetry() });
  const hints = new RedisHints({ redis, log: silentLogger });
  const ordering = new RedisEventOrdering({ redis, hints, keys, clock: systemClock });
  try {
    await redis.start();
    await ordering.seed(SESSION, 1, BEGIN);
    await ordering.admit(SESSION, 1, 'ann', null);
    const heard: string[] = [];
    await ordering.follow(SESSION, ({ kind }) => heard.push(kind));

    const type = async (text: string, clientSeq: number): Promise<string> => {
      const operations = JSON.stringify([text]);
      const submission = { epoch: 1, clientId: 'ann', userId: 'ann', firstClientSeq: clientSeq, count: 1, operations };
      const appended = await ordering.append(SESSION, submission);
      if (appended.status !== 'accepted') throw new Error(appended.status);
      return appended.entry.tag;
    };
    await type('a', 1);

    // Somebody else's key of the same slot goes first.
    const other = `{${SESSION}}:other`;
    await redis.ask('set', (client) => client.set(other, 'x'));
    const from = await cluster.serverOf(other);
    const to = (await cluster.masters()).find((node) => node !== from);
    const moved = await cluster.move(other, to ?? from, async () => {
      const tag = await type('b', 2);
      await ordering.markSaved(SESSION, { epoch: 1, seq: 2, tag });
      expect((await ordering.read(SESSION, 0, 1_000))?.log.saved.seq).toBe(2);
    });

    // Nobody was told to try again later: that is for those whose keys are here and there.
    expect(await from.command((client) => client.info('errorstats'))).not.toContain('errorstat_TRYAGAIN');
    expect(heard).toEqual(['entry', 'entry', 'saved']);
    expect(moved).toBeGreaterThan(3);
    expect((await ordering.describe([SESSION]))[0]?.head.seq).toBe(2);
  } finally {
    await redis.stop();
    await cluster.stop();
  }
});
