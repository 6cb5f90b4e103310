import { deviceList, health } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { AUDIENCE, ISSUER, SECRET, secretToken } from '../support/identity-provider';
import { RedisServer } from '../support/redis-server';
import { ask, Processes, type ServerProcess, type Variables } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
const clients: WireClient[] = [];
let redis: RedisServer;

beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await processes.clean();
  redis.signal('SIGCONT');
  await redis.stop();
});

/** What is promised between the answer to a revocation and the end of the last connection. */
const PROMISED_MS = 1_000;

const SETTINGS: Variables = {
  USE_REDIS_EVENT_ORDERING: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
  USE_REDIS_DEVICES: 'true',
  AUTH_MODE: 'jwt',
  AUTH_JWT_SECRET: SECRET,
  AUTH_ISSUER: ISSUER,
  AUTH_AUDIENCE: AUDIENCE,
};

async function startTwo(): Promise<[ServerProcess, ServerProcess]> {
  const documents = await processes.directory();
  const start = (INSTANCE_ID: string) =>
    processes.startServer({ documents, env: { ...SETTINGS, REDIS_URL: redis.url, INSTANCE_ID } });
  return [await start('one'), await start('other')];
}

async function connect({ url }: ServerProcess, token: string): Promise<WireClient> {
  const client = await WireClient.connect(url, { auth: { token } });
  clients.push(client);
  return client;
}

const revoke = (server: ServerProcess, deviceId: string, token: string): Promise<{ status: number }> =>
  fetch(`${server.url}/api/me/devices/${deviceId}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  });

const isRefused = async (server: ServerProcess, token: string): Promise<string> =>
  connect(server, token).then(
    () => 'let in',
    (fault: { data?: { code?: string } }) => fault.data?.code ?? 'no code',
  );

const faults: Array<[string, { begin: () => Promise<void>; end: () => Promise<void> }]> = [
  ['works', { begin: async () => {}, end: async () => {} }],
  ['is killed and comes back', { begin: () => redis.kill(), end: () => redis.launch() }],
  [
    'stands still (SIGSTOP) and goes on',
    { begin: async () => redis.signal('SIGSTOP'), end: async () => redis.signal('SIGCONT') },
  ],
];

test.each(faults)(
  'a revoked device is cut off on both instances within a second, and stays out, while Redis %s',
  async (_what, { begin, end }) => {
    const [one, other] = await startTwo();
    const [phone, laptop] = [await secretToken({ sid: 'phone' }), await secretToken({ sid: 'laptop' })];
    const lost = [await connect(one, phone), await connect(other, phone), await connect(one, phone)];
    const kept = [await connect(one, laptop), await connect(other, laptop)];
    await begin();
    const { status } = await revoke(other, 'phone', laptop);
    expect(status).toBe(204);
    const answeredAt = performance.now();
    await Promise.all(lost.map((client) => client.gone()));
    expect(performance.now() - answeredAt).toBeLessThan(PROMISED_MS);
    for (const client of lost) {
      expect(client.all('auth:ended')).toMatchObject([{ error: { code: 'UNAUTHENTICATED' } }]);
    }
    const next = await secretToken({ sid: 'phone', later: true });
    for (const token of [phone, next]) {
      expect([await isRefused(one, token), await isRefused(other, token)]).toEqual([
        'UNAUTHENTICATED',
        'UNAUTHENTICATED',
      ]);
    }
    await end();
    await eventually('both have Redis again', async () => {
      for (const { url } of [one, other]) expect((await ask(`${url}/health`, health)).body.redis.status).toBe('ok');
    });
    expect([await isRefused(one, phone), await isRefused(other, phone)]).toEqual([
      'UNAUTHENTICATED',
      'UNAUTHENTICATED',
    ]);
    expect(kept.map((client) => client.socket.connected)).toEqual([true, true]);
  },
  60_000,
);

test('both instances list the same devices, and say that they are in Redis', async () => {
  const [one, other] = await startTwo();
  const [phone, laptop] = [await secretToken({ sid: 'phone' }), await secretToken({ sid: 'laptop' })];
  await connect(one, phone);
  const { body } = await ask(`${other.url}/api/me/devices`, deviceList, laptop);
  expect(body.devices.map(({ deviceId, isCurrent }) => [deviceId, isCurrent])).toEqual([
    ['laptop', true],
    ['phone', false],
  ]);
  expect((await ask(`${one.url}/health`, health)).body.services.devices).toEqual({
    backend: 'redis',
    configured: 'redis',
    status: 'ok',
  });
  expect(one.lines.join('\n')).toContain('✅ [RedisDI] Using Redis Device Sessions');
  expect((await revoke(one, 'phone', laptop)).status).toBe(204);
  await eventually('it is in no list any more', async () => {
    const listed = await ask(`${other.url}/api/me/devices`, deviceList, laptop);
    expect(listed.body.devices.map(({ deviceId }) => deviceId)).toEqual(['laptop']);
  });
});
