import { loadConfig } from '../../config/load-config';
import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisConnections } from '../../src/redis/redis-connections';
import { Telemetry } from '../../src/telemetry/telemetry';
import { eventually } from '../support/eventually';
import { RedisSentinels } from '../support/redis-sentinels';

let sentinels: RedisSentinels;
let redis: RedisConnections;
beforeEach(async () => {
  sentinels = await RedisSentinels.start();
  redis = new RedisConnections({
    settings: loadConfig(sentinels.variables).redis,
    instanceId: 'one',
    clock: systemClock,
    log: silentLogger,
    telemetry: new Telemetry(),
  });
  redis.client('command');
  redis.client('subscriber');
  await redis.start();
});
afterEach(async () => {
  await redis.stop();
  await sentinels.stop();
});

test('a connection that is told of a failover while it asks for the master is made all the same, and hears what it heard', async () => {
  const client = redis.client('subscriber');
  const heard: string[] = [];
  client.on('message', (_channel: string, message: string) => heard.push(message));
  await client.subscribe('news');
  let ends = 0;
  client.on('end', () => {
    ends += 1;
  });
  // What the detector of failovers does.
  client.once('connecting', () => client.disconnect(true));
  client.disconnect(true);
  await eventually('the client library to give up', () => ends === 1);
  await eventually('the connection to be back', () => redis.status === 'ok');
  await eventually('what is published to be heard', async () => {
    await redis.ask('publish', (to) => to.publish('news', 'hello'));
    return heard.length > 0;
  });
  expect(new Set(heard)).toEqual(new Set(['hello']));
});
