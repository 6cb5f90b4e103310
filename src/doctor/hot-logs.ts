import { Cluster } from 'ioredis';
import type { Config } from '../../config/load-config';
import { systemClock } from '../lib/clock';
import { silentLogger } from '../lib/logger';
import type { HotLog } from '../ordering/event-ordering';
import { RedisEventOrdering } from '../ordering/redis-event-ordering';
import { RedisKeys } from '../redis/keys';
import { RedisConnections } from '../redis/redis-connections';
import { RedisHints } from '../redis/redis-hints';
import { Telemetry } from '../telemetry/telemetry';

const SCAN_COUNT = 1_000;

/** What Redis holds of sessions, read as the server reads it. */
export class HotLogs {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly ordering: RedisEventOrdering;

  constructor({ redis: settings, instanceId }: Config) {
    this.redis = new RedisConnections({
      settings,
      instanceId: `${instanceId}:doctor`,
      clock: systemClock,
      log: silentLogger,
      telemetry: new Telemetry(),
    });
    this.keys = new RedisKeys(settings.keyPrefix);
    const hints = new RedisHints({ redis: this.redis, log: silentLogger });
    this.ordering = new RedisEventOrdering({ redis: this.redis, hints, keys: this.keys, clock: systemClock });
  }

  start(): Promise<void> {
    return this.redis.start();
  }

  stop(): Promise<void> {
    return this.redis.stop();
  }

  async get(sessionId: string): Promise<HotLog | null> {
    return (await this.ordering.describe([sessionId]))[0] ?? null;
  }

  /** Every hot log there is, in pieces. */
  async *all(): AsyncGenerator<ReadonlyArray<readonly [sessionId: string, hotLog: HotLog]>> {
    const client = this.redis.client('command');
    for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
      let cursor = '0';
      do {
        const [next, found] = await node.scan(cursor, 'MATCH', this.keys.anyOrderingMeta(), 'COUNT', SCAN_COUNT);
        cursor = next;
        const sessionIds = found.flatMap((key) => this.keys.sessionOfOrderingMeta(key) ?? []);
        const logs = await this.ordering.describe(sessionIds);
        yield sessionIds.flatMap((sessionId, index) => {
          const hotLog = logs[index];
          return hotLog ? [[sessionId, hotLog] as const] : [];
        });
      } while (cursor !== '0');
    }
  }
}
