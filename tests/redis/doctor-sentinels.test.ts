import { RedisKeys } from '../../src/redis/keys';
import { examine, type Examination } from '../support/doctor';
import { RedisSentinels } from '../support/redis-sentinels';
import { portToComeBackTo, Processes, type Variables } from '../support/server-process';

const processes = new Processes();
let sentinels: RedisSentinels;
beforeAll(async () => {
  sentinels = await RedisSentinels.start('--appendonly', 'yes');
});
afterAll(() => sentinels.stop());
afterEach(() => processes.clean());

const ON = { USE_REDIS_EVENT_ORDERING: 'true', USE_REDIS_COLLABORATION: 'true', USE_REDIS_WEBSOCKETS: 'true' };

const ofSentinels = (env: Variables = {}): Promise<Examination> =>
  examine(processes, { ...ON, ...sentinels.variables, ...env });

test('a master behind sentinels that agree is well', async () => {
  const { code, of, lines } = await ofSentinels();
  expect({ code, notOk: [...of('warn'), ...of('FAIL')] }).toEqual({ code: 0, notOk: [] });
  const { port } = await sentinels.master();
  const told = lines.filter((line) => line.startsWith('ok    redis sentinel'));
  expect(told).toHaveLength(3);
  for (const line of told) expect(line).toContain(`the master of flow-test is 127.0.0.1:${port}`);
  expect(lines.join('\n')).toMatch(new RegExp(`redis replicas +127\\.0\\.0\\.1:${port}: 1`));
});

test('what only Redis has is counted there', async () => {
  const keys = new RedisKeys('flow:');
  const master = await sentinels.master();
  await master.command(async (client) => {
    await client.hset(keys.orderingMeta('s'), { epoch: 1, seq: 5, tag: 'a', savedSeq: 2 });
    await client.sadd(keys.orderingUnsaved(), 's');
  });
  const { of } = await ofSentinels();
  expect(of('warn').join()).toMatch(/3 operations of 1 sessions are in Redis only/);
  await master.command((client) => client.flushall());
});

test('a sentinel that is away is a warning as long as others answer', async () => {
  const gone = await portToComeBackTo();
  const { code, of } = await ofSentinels({
    REDIS_SENTINELS: `127.0.0.1:${gone},${sentinels.variables['REDIS_SENTINELS']}`,
  });
  expect(code).toBe(0);
  expect(of('warn').join()).toMatch(new RegExp(`127\\.0\\.0\\.1:${gone} .*REDIS_SENTINELS`));
});

test('a master that no sentinel watches', async () => {
  const { code, of } = await ofSentinels({ REDIS_SENTINEL_NAME: 'another' });
  expect(code).toBe(1);
  expect(of('FAIL').join('\n')).toMatch(/watches no master called another: check REDIS_SENTINEL_NAME/);
  expect(of('FAIL').join('\n')).toMatch(/no sentinel knows a master/);
});

test('sentinels that name different masters', async () => {
  const others = await RedisSentinels.start();
  processes.onClean(() => others.stop());
  const { code, of } = await ofSentinels({
    REDIS_SENTINELS: `${sentinels.variables['REDIS_SENTINELS']},${others.variables['REDIS_SENTINELS']}`,
  });
  const [here, there] = [await sentinels.master(), await others.master()];
  expect(code).toBe(1);
  expect(of('FAIL').join()).toContain(`name different masters: 127.0.0.1:${here.port}, 127.0.0.1:${there.port}`);
});

test('a master that they name and nobody can reach', async () => {
  const master = await sentinels.master();
  for (const server of sentinels.servers) await server.kill();
  const { code, of } = await ofSentinels();
  expect(code).toBe(1);
  expect(of('FAIL').join()).toMatch(
    new RegExp(`127\\.0\\.0\\.1:${master.port}.*ECONNREFUSED.*they promote a replica.*replica-announce-ip`),
  );
  for (const server of sentinels.servers) await server.launch();
  await sentinels.whole();
});
