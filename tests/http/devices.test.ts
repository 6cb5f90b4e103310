import type { Config } from '../../config/load-config';
import { FlowError } from '../../src/protocol/errors';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { AUDIENCE, ISSUER, SECRET, secretToken } from '../support/identity-provider';
import { useServers, type TestServer } from '../support/server';
import { call, expectRefusal } from './support';

const start = useServers();
const config: Partial<Config> = {
  authMode: 'jwt',
  authJwtSecret: SECRET,
  authIssuer: ISSUER,
  authAudience: AUDIENCE,
  accessPollMs: 50,
};

interface Listed {
  readonly deviceId: string;
  readonly label: string;
  readonly isCurrent: boolean;
}

const devicesOf = async (server: TestServer, as: string): Promise<Listed[]> =>
  ((await call(server, 'listDevices', { as })).body as { devices: Listed[] }).devices;
const idsOf = async (server: TestServer, as: string): Promise<string[]> =>
  (await devicesOf(server, as)).map(({ deviceId }) => deviceId).sort();

/** A token of a session at the identity provider: the next one of the same session is the same device. */
const tokenOf = (sub: string, sid: string, fields: object = {}): Promise<string> =>
  secretToken({ sub, sid, ...fields });

test('whoever shows a token is signed in on a device: the session of the identity provider, or else the token', async () => {
  const server = await start({ config });
  const phone = await tokenOf('ann', 'phone');
  await server.connect({ auth: { token: phone } });
  await call(server, 'listSessions', { as: await secretToken({ sub: 'ann', jti: 'one-token' }) });
  const bare = await secretToken({ sub: 'ann' });
  const response = await call(server, 'listDevices', { as: bare, headers: { 'user-agent': 'Laptop/1.0 \u00e9' } });
  const { devices } = response.body as { devices: Listed[] };
  expect(devices).toHaveLength(3);
  expect(devices.filter(({ isCurrent }) => isCurrent)).toEqual([
    expect.objectContaining({
      deviceId: expect.stringMatching(/^[0-9a-f]{64}$/),
      label: expect.stringContaining('Laptop/1.0'),
    }),
  ]);
  expect(await idsOf(server, await tokenOf('ann', 'phone', { more: 1 }))).toEqual(
    expect.arrayContaining(['one-token', 'phone']),
  );
  expect(await idsOf(server, await tokenOf('bob', 'desk'))).toEqual(['desk']);
});

test('a revoked device is cut off, is told why, and no token of its session is accepted again; the others stay', async () => {
  const server = await start({ config });
  const [phone, laptop] = [await tokenOf('ann', 'phone'), await tokenOf('ann', 'laptop')];
  const lost = await server.connect({ auth: { token: phone } });
  const kept = await server.connect({ auth: { token: laptop } });
  const namesake = await server.connect({ auth: { token: await tokenOf('bob', 'phone') } });
  const revoked = await call(server, 'revokeDevice', { params: { deviceId: 'phone' }, as: laptop });
  expect(revoked.status).toBe(204);
  expect(await lost.next('auth:ended')).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  await lost.gone();
  for (const token of [phone, await tokenOf('ann', 'phone', { later: true })]) {
    await expect(server.connect({ auth: { token } })).rejects.toMatchObject({ data: { code: 'UNAUTHENTICATED' } });
    await expectRefusal(call(server, 'listDevices', { as: token }), 'UNAUTHENTICATED');
    expect(await kept.refusal('auth:renew', { token })).toMatchObject({ code: 'UNAUTHENTICATED' });
  }
  expect(await idsOf(server, laptop)).toEqual(['laptop']);
  expect([kept.socket.connected, namesake.socket.connected]).toEqual([true, true]);
});

test('to revoke twice, or what was never there, is no fault; what is no id is', async () => {
  const server = await start({ config });
  const as = await tokenOf('ann', 'laptop');
  for (const deviceId of ['phone', 'phone', 'never-seen']) {
    expect((await call(server, 'revokeDevice', { params: { deviceId }, as })).status).toBe(204);
  }
  await expectRefusal(call(server, 'revokeDevice', { params: { deviceId: 'a b' }, as }), 'BAD_REQUEST');
});

test('to sign out one device never signs out all, because its id is a path of another meaning', async () => {
  const server = await start({ config });
  const [dot, laptop] = [await tokenOf('ann', '.'), await tokenOf('ann', 'laptop')];
  await Promise.all([dot, laptop].map((token) => server.connect({ auth: { token } })));
  expect(await idsOf(server, laptop)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), 'laptop']);
});

test('all other devices are revoked together, also those that are in no list; with current=true this one, too', async () => {
  const server = await start({ config });
  const laptop = await tokenOf('ann', 'laptop');
  const elsewhere = await Promise.all(['a', 'b', 'c'].map((sid) => tokenOf('ann', sid)));
  const sockets = await Promise.all(elsewhere.map((token) => server.connect({ auth: { token } })));
  const neverShown = await tokenOf('ann', 'd');
  const here = await server.connect({ auth: { token: laptop } });
  expect((await call(server, 'revokeDevices', { as: laptop })).status).toBe(204);
  await Promise.all(sockets.map((socket) => socket.gone()));
  for (const as of [...elsewhere, neverShown])
    await expectRefusal(call(server, 'listDevices', { as }), 'UNAUTHENTICATED');
  expect(await idsOf(server, laptop)).toEqual(['laptop']);
  expect(here.socket.connected).toBe(true);
  expect((await call(server, 'revokeDevices', { as: laptop, query: { current: 'true' } })).status).toBe(204);
  await here.gone();
  await expectRefusal(call(server, 'listDevices', { as: laptop }), 'UNAUTHENTICATED');
  // Whoever signs in anew is let in.
  const later = await secretToken({ sub: 'ann', sid: 'new', iat: Math.floor(Date.now() / 1_000) + 1 });
  expect(await idsOf(server, later)).toEqual(['new']);
});

test('a revocation outlives the process', async () => {
  const first = await start({ config });
  const { documentDir } = first.config;
  const lasting = { ...config, documentStore: 'lmdb' as const, documentDir };
  await first.stop();
  const second = await start({ config: lasting });
  const [phone, laptop] = [await tokenOf('ann', 'phone'), await tokenOf('ann', 'laptop')];
  await call(second, 'revokeDevice', { params: { deviceId: 'phone' }, as: laptop });
  await second.stop();
  const third = await start({ config: lasting });
  await expect(third.connect({ auth: { token: phone } })).rejects.toMatchObject({ data: { code: 'UNAUTHENTICATED' } });
  await third.connect({ auth: { token: laptop } });
});

test('with AUTH_MODE=open there are no devices, and to sign out everywhere ends what is connected under the name', async () => {
  const server = await start({ config: { accessPollMs: 50 } });
  const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
  expect(await devicesOf(server, 'ada')).toEqual([]);
  expect((await call(server, 'revokeDevices', { as: 'ada' })).status).toBe(204);
  await ada.gone();
  expect(bob.socket.connected).toBe(true);
  await server.connect({ user: 'ada' });
});

describe('administrators', () => {
  const ADMIN_TOKEN = 'the token of administrators';

  test('see more in /ws/stats, by ADMIN_TOKEN or by a token of their own; others see the counts', async () => {
    const server = await start({ config: { ...config, adminToken: ADMIN_TOKEN } });
    const seen = async (as?: string): Promise<boolean> => {
      const { body } = await call(server, 'stats', as === undefined ? {} : { as });
      expect(body).toMatchObject({ backends: { devices: 'memory' }, connections: { local: 0 } });
      return 'latency' in (body as object);
    };
    expect(await seen()).toBe(false);
    expect(await seen(await tokenOf('ann', 'phone'))).toBe(false);
    expect(await seen(await tokenOf('ann', 'phone', { roles: 'flow-admin' }))).toBe(false);
    expect(await seen(await tokenOf('root', 'desk', { roles: ['other', 'flow-admin'] }))).toBe(true);
    expect(await seen(ADMIN_TOKEN)).toBe(true);
    for (const as of [`${ADMIN_TOKEN}x`, ADMIN_TOKEN.slice(1)]) {
      await expectRefusal(call(server, 'stats', { as }), 'UNAUTHENTICATED');
    }
  });

  test('ADMIN_TOKEN is nobody who could have sessions', async () => {
    const server = await start({ config: { ...config, adminToken: ADMIN_TOKEN } });
    await expectRefusal(call(server, 'listSessions', { as: ADMIN_TOKEN }), 'UNAUTHENTICATED');
    await expect(server.connect({ auth: { token: ADMIN_TOKEN } })).rejects.toMatchObject({
      data: { code: 'UNAUTHENTICATED' },
    });
  });
});

test('while it cannot be known who was revoked, nobody is let in; who is in stays', async () => {
  const store = new MemoryDocumentStore();
  const server = await start({ config, store });
  const token = await tokenOf('ann', 'phone');
  const ann = await server.connect({ auth: { token } });
  const { after } = store.accessChanges;
  store.accessChanges.after = () => Promise.reject(new FlowError('STORE_UNAVAILABLE'));
  await eventually('nobody is let in', async () => {
    await expect(server.connect({ auth: { token } })).rejects.toMatchObject({ data: { code: 'STORE_UNAVAILABLE' } });
  });
  expect(ann.socket.connected).toBe(true);
  store.accessChanges.after = after;
  await server.connect({ auth: { token } });
});
