import { loadConfig } from '../../config/load-config';
import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisConnections } from '../../src/redis/redis-connections';
import { Telemetry } from '../../src/telemetry/telemetry';
import { eventually } from '../support/eventually';
import { RedisLine } from '../support/redis-line';
import { RedisServer } from '../support/redis-server';
import { expectNothingUnhandled } from '../support/unhandled';

describe('a connection that listens again after it was cut', () => {
  expectNothingUnhandled();

  test('may be closed before it is told that it does', async () => {
    const server = await RedisServer.start();
    const line = await RedisLine.start(server.port);
    try {
      const redis = new RedisConnections({
        settings: loadConfig({ REDIS_URL: line.url }).redis,
        instanceId: 'one',
        clock: systemClock,
        log: silentLogger,
        telemetry: new Telemetry(),
      });
      const client = redis.client('subscriber');
      await redis.start();
      await client.subscribe('news');
      let caught = 0;
      line.holdBack(
        (command) => /^\*\d+\r\n\$9\r\nsubscribe\r\n/i.test(command),
        () => {
          caught += 1;
        },
      );
      line.cut();
      await eventually('it asks to listen again', () => caught === 1);
      await redis.stop();
      expect(client.status).toBe('end');
    } finally {
      await line.stop();
      await server.stop();
    }
  });
});
