import { loadConfig } from '../../config/load-config';
import { type ServiceName, serviceNames, SERVICES } from '../../src/protocol/services';
import { health, stats } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { RedisServer } from '../support/redis-server';
import { useDirectories, useServers } from '../support/server';
import { ask } from '../support/server-process';

const start = useServers();
const makeDirectory = useDirectories();
let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

const without = (one: ServiceName): ServiceName[] => serviceNames.filter((name) => name !== one);
/** None, each alone, all but each, all: where a service leans on another one, one of these shows it. */
const combinations: ReadonlyArray<readonly ServiceName[]> = [
  [],
  ...serviceNames.map((name) => [name]),
  ...serviceNames.map(without),
  serviceNames,
];
const cases = combinations.flatMap((onRedis) =>
  ['lmdb', 'memory'].map((store) => ({ store, onRedis, what: onRedis.join(', ') || 'nothing' })),
);

test.each(cases)('with $what on Redis and store $store two clients edit one document', async ({ store, onRedis }) => {
  const backends = Object.fromEntries(serviceNames.map((name) => [name, onRedis.includes(name) ? 'redis' : 'memory']));
  const config = loadConfig({
    REDIS_URL: redis.url,
    DOCUMENT_STORE: store,
    DOCUMENT_DIR: await makeDirectory(),
    HOST: '127.0.0.1',
    PORT: '0',
    ...Object.fromEntries(onRedis.map((name) => [SERVICES[name].flag, 'true'])),
  });
  const { lines, log } = logLines();
  const server = await start({ config, log });
  const said = lines.map(({ msg }) => msg);
  expect(said.filter((msg) => msg.includes('[RedisDI]'))).toEqual(
    serviceNames.map((name) => `${mark(name, onRedis)} ${SERVICES[name].logName}`),
  );
  expect(said.filter((msg) => msg === '✅ Redis connected successfully')).toHaveLength(onRedis.length > 0 ? 1 : 0);

  const { body } = await ask(`${server.url}/health`, health);
  expect(body).toMatchObject({ status: 'ok', redis: { status: onRedis.length > 0 ? 'ok' : 'unused' } });
  expect(body.store.kind).toBe(store);
  expect(Object.fromEntries(Object.entries(body.services).map(([name, { backend }]) => [name, backend]))).toEqual(
    backends,
  );
  expect((await ask(`${server.url}/ws/stats`, stats)).body.backends).toEqual(backends);

  const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
  const { session } = await ada.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  for (const client of [ada, bob]) await client.demand('session:join', { sessionId });
  await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['of ada'] });
  await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['of bob'] });
  for (const client of [ada, bob]) {
    await eventually('both are delivered and saved', () => {
      const delivered = client.all('operation:batch').flatMap(({ entries }) => entries);
      expect(delivered.flatMap(({ operations }) => operations)).toEqual(['of ada', 'of bob']);
      const told = [...client.all('operation:saved'), ...client.all('operation:batch')];
      expect(Math.max(...told.map(({ saved }) => saved ?? 0))).toBe(2);
    });
  }
  expect(await server.stop()).toEqual({ unsavedSessions: [] });
});

const mark = (name: ServiceName, onRedis: readonly ServiceName[]): string =>
  onRedis.includes(name) ? '✅ [RedisDI] Using Redis' : 'ℹ️ [RedisDI] Using in-memory';
