import { FlowClient } from '../../src/client/flow-client';
import type { FlowSession } from '../../src/client/session';
import type { RedisConnections } from '../../src/redis/redis-connections';
import { eventually } from '../support/eventually';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { post, Processes, type ServerProcess } from '../support/server-process';

const processes = new Processes();
const clients: FlowClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await processes.clean();
});

/** Longer than a save lease. */
const LEASES_END_MS = 6_000;
/** Longer than anything is kept. */
const ALL_ENDS_MS = 86_400_000;

async function joined(url: string, user: string, sessionId: string): Promise<FlowSession> {
  const client = new FlowClient({ url, token: user });
  clients.push(client);
  client.connect();
  const session = client.session(sessionId);
  await session.join();
  session.sendAwareness(user, 1, { name: user });
  return session;
}

async function createSession(url: string): Promise<string> {
  const client = new FlowClient({ url, token: 'owner' });
  const { sessionId } = await client.createSession({ format: 'json' });
  client.close();
  return sessionId;
}

const asOwner = (url: string, method: string, body?: object): Promise<Response> =>
  fetch(url, {
    method,
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  let redis: RedisConnections;
  let servers: ServerProcess[];

  beforeEach(async () => {
    redis = backendOf().connections('test');
    redis.client('command');
    await redis.start();
    const documents = await processes.directory();
    servers = await Promise.all(
      ['one', 'two', 'three'].map((INSTANCE_ID) =>
        processes.startServer({
          documents,
          env: {
            ...backendOf().env,
            USE_REDIS_EVENT_ORDERING: 'true',
            USE_REDIS_COLLABORATION: 'true',
            USE_REDIS_WEBSOCKETS: 'true',
            USE_REDIS_ROLE_CACHE: 'true',
            FLOW_SECRET: 'the same on every instance',
            SESSION_IDLE_MS: '300',
            INSTANCE_ID,
          },
        }),
      ),
    );
  });

  const keysLeft = () => backendOf().keysLeft(redis);
  const withoutTtl = async (): Promise<string[]> =>
    Object.entries(await keysLeft()).flatMap(([key, ttlMs]) => (ttlMs < 0 ? [key] : []));

  /** Sessions of all kinds of fates, used on all instances; the last two are open on the third only. */
  async function useEverything(): Promise<void> {
    const urls = servers.map(({ url }) => url);
    const [one = '', two = '', three = ''] = urls;
    const [shared, left, closed, renamed, overHttp, there, joinedThere] = await Promise.all(
      Array.from({ length: 7 }, () => createSession(one)),
    );
    const writers = await Promise.all([
      ...urls.map((url, index) => joined(url, `writer ${index}`, shared ?? '')),
      joined(two, 'leaver', left ?? ''),
      joined(one, 'outlived', closed ?? ''),
      joined(one, 'reader', renamed ?? ''),
      joined(three, 'lonely', there ?? ''),
    ]);
    await joined(three, 'silent', joinedThere ?? '');
    for (const writer of writers) writer.submit(['a', 'b']);
    await Promise.all(writers.map((writer) => writer.whenSaved()));
    expect((await post(`${two}/api/sessions/${overHttp}/operations`, { clientSeq: 1, operations: ['c'] })).status).toBe(
      200,
    );
    expect((await asOwner(`${two}/api/sessions/${renamed}`, 'PATCH', { title: 'Another' })).status).toBe(200);
    expect((await asOwner(`${one}/api/sessions/${closed}`, 'DELETE')).status).toBeLessThan(300);
    expect((await asOwner(`${one}/api/sessions/${shared}/duplicate`, 'POST', {})).status).toBeLessThan(300);
  }

  test('when everybody has gone, some instances in order and one killed, every key has a time to live, and in the end there is none', async () => {
    await useEverything();
    expect((await withoutTtl()).length).toBeGreaterThan(3);
    await servers[2]?.end('SIGKILL');
    for (const client of clients.splice(0)) client.close();
    await eventually('the sessions of those who live are closed', async () => {
      const open = (await withoutTtl()).filter((key) => key.endsWith(':meta'));
      expect(open.length).toBeLessThanOrEqual(2);
    });
    // Those of the one that was killed are taken up, by somebody.
    await backendOf().pass(redis, LEASES_END_MS);
    await eventually('every key has a time to live', async () => expect(await withoutTtl()).toEqual([]));
    for (const server of servers.slice(0, 2)) expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await withoutTtl()).toEqual([]);
    expect(Object.keys(await keysLeft()).length).toBeGreaterThan(3);
    await backendOf().pass(redis, ALL_ENDS_MS);
    await eventually('nothing is left', async () => expect(await keysLeft()).toEqual({}));
  });

  test('when all instances stop in order with everything open, every key has a time to live', async () => {
    await useEverything();
    const ended = await Promise.all(servers.map((server) => server.end('SIGTERM')));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(await withoutTtl()).toEqual([]);
    await backendOf().pass(redis, ALL_ENDS_MS);
    await eventually('nothing is left', async () => expect(await keysLeft()).toEqual({}));
  });
});
