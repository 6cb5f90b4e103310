import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { deviceList } from '../../src/http/schemas';
import { COMMANDS } from '../../src/doctor/redis-server-checks';
import { makeHistory } from '../../src/tools/traces';
import { examine } from '../support/doctor';
import { eventually } from '../support/eventually';
import { AUDIENCE, SECRET, secretToken } from '../support/identity-provider';
import { RedisCluster, RedisServer } from '../support/redis-server';
import { replayWithFault } from '../support/redis-replay';
import { ask, Processes, ROOT, type ServerProcess, type Variables } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const DOCUMENTED = join(ROOT, 'docs/redis-users.acl');
const OBSERVER = { username: 'observer', password: 'looks' };
const DEADLINE_MS = 120_000;
/** What the doctor asks for and does without. */
const OPTIONAL = ['config|get'];

const processes = new Processes();
afterEach(() => processes.clean());

const ON_REDIS: Variables = {
  USE_REDIS_EVENT_ORDERING: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
  USE_REDIS_DEVICES: 'true',
  USE_REDIS_RATE_LIMITS: 'true',
  REDIS_USERNAME: 'flow',
  REDIS_PASSWORD: 'change-this-password',
};

/** A Redis with exactly the documented users, changed as told, and somebody of the test's own who looks. */
async function startRedis(change: (users: string) => string = (users) => users) {
  const file = join(await processes.directory(), 'users.acl');
  const users = change(await readFile(DOCUMENTED, 'utf8'));
  await writeFile(file, `${users}user ${OBSERVER.username} on >${OBSERVER.password} ~* &* +@all\n`);
  const server = await RedisServer.start('--aclfile', file);
  const observer = new Redis({ ...OBSERVER, host: '127.0.0.1', port: server.port });
  processes.onClean(async () => {
    observer.disconnect();
    await server.stop();
  });
  return { observer, variables: { ...ON_REDIS, REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) } };
}

/** Commands and channels that were denied; what only the doctor asks is left out. */
async function denied(observer: Redis): Promise<string[]> {
  const lines = (await observer.call('ACL', 'LOG')) as unknown[][];
  const objects = lines.map((line) => String(line[line.indexOf('object') + 1]));
  return [...new Set(objects)].filter((object) => !OPTIONAL.includes(object)).sort();
}

/** Names of the commands that were carried out. */
async function used(observer: Redis): Promise<Set<string>> {
  const lines = (await observer.info('commandstats')).matchAll(/^cmdstat_(\S+?):calls=[1-9]/gm);
  return new Set([...lines].map(([, name = '']) => name));
}

const granted = (users: string): string[] => [...users.matchAll(/ \+(\S+)/g)].map(([, name = '']) => name);

/** Two people and a reader over three instances, to the end; answers what went wrong. */
async function replayOn(variables: Variables): Promise<readonly string[]> {
  const { report, servers } = await replayWithFault({
    processes,
    redis: variables,
    history: makeHistory({ seed: 2, edits: 400, authors: 2 }),
    perSecond: null,
    fault: async () => {},
  });
  await Promise.all(servers.map((server) => server.end('SIGTERM')));
  return report.problems;
}

/** Leases, idle sessions and what is behind them come and go while somebody looks. */
const IN_HASTE: Variables = { PARTICIPANT_LEASE_MS: '1000', SESSION_IDLE_MS: '200', AUDIT_INTERVAL_MS: '100' };

/** Two people and two devices on two instances: signs in, lists, signs out, leaves, closes, and lets the doctor look; `seen` is awaited meanwhile. */
async function useEverything(variables: Variables, seen: () => Promise<void>): Promise<void> {
  const documents = await processes.directory();
  const env = { ...variables, ...IN_HASTE, AUTH_MODE: 'jwt', AUTH_JWT_SECRET: SECRET, AUTH_AUDIENCE: AUDIENCE };
  const start = (INSTANCE_ID: string): Promise<ServerProcess> =>
    processes.startServer({ documents, isLimited: true, env: { ...env, INSTANCE_ID } });
  const [one, other] = [await start('one'), await start('other')];
  const [phone, laptop] = [await secretToken({ sid: 'phone' }), await secretToken({ sid: 'laptop' })];
  const remove = (url: string, path: string): Promise<{ status: number }> =>
    fetch(`${url}${path}`, { method: 'DELETE', headers: { authorization: `Bearer ${laptop}` } });

  const writer = await WireClient.connect(one.url, { auth: { token: laptop } });
  const guest = await WireClient.connect(other.url, { auth: { token: phone } });
  const { sessionId } = (await writer.demand('session:create', { format: 'json' })).session;
  for (const client of [writer, guest]) await client.demand('session:join', { sessionId });
  await writer.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
  await guest.next('operation:batch');
  const { body } = await ask(`${one.url}/api/me/devices`, deviceList, laptop);
  expect(body.devices.map(({ deviceId }) => deviceId).sort()).toEqual(['laptop', 'phone']);
  expect((await remove(one.url, '/api/me/devices/phone')).status).toBe(204);
  // Then nobody is in the session there: it is let go, and kept where the writer is.
  await guest.gone();
  const { of } = await examine(processes, { ...variables, DOCUMENT_DIR: documents });
  expect(of('FAIL')).toEqual([]);
  await seen();
  expect((await remove(one.url, `/api/sessions/${sessionId}`)).status).toBe(204);
  await writer.next('session:closed');
  writer.close();
  for (const server of [one, other]) expect((await server.end('SIGTERM')).code).toBe(0);
}

test(
  'docs/redis-users.acl allows what is done with all flags on, and no more: nothing is denied, nothing goes unused',
  async () => {
    const { observer, variables } = await startRedis();
    const allowed = granted(await readFile(DOCUMENTED, 'utf8'));
    await useEverything(variables, () =>
      eventually('everything that is allowed was used', async () => {
        const done = await used(observer);
        expect(allowed.filter((name) => !done.has(name))).toEqual([]);
      }),
    );
    expect(await replayOn(variables)).toEqual([]);
    expect(await denied(observer)).toEqual([]);
  },
  DEADLINE_MS,
);

test(
  'with what docs/redis.md adds for a cluster, nothing is denied in one either',
  async () => {
    const cluster = await RedisCluster.start();
    processes.onClean(() => cluster.stop());
    const rights = /user flow (.+)/.exec(await readFile(DOCUMENTED, 'utf8'))?.[1]?.split(' ') ?? [];
    const text = await readFile(join(ROOT, 'docs/redis.md'), 'utf8');
    const more = /In a cluster it needs also `(.+?)`/.exec(text)?.[1]?.split(' ') ?? [];
    expect(more.length).toBeGreaterThan(1);
    const onEach = <Answer>(ask: (client: Redis) => Promise<Answer>): Promise<Answer[]> =>
      Promise.all(cluster.nodes.map((node) => node.command(ask)));
    await onEach((client) => client.call('ACL', 'SETUSER', 'flow', ...rights, ...more));
    const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const variables = { ...ON_REDIS, REDIS_CLUSTER_NODES: nodes };
    await useEverything(variables, async () => {});
    expect(await replayOn(variables)).toEqual([]);
    expect((await onEach(denied)).flat()).toEqual([]);
    const done = new Set((await onEach(used)).flatMap((names) => [...names]));
    // Slots are moved by nobody here.
    expect(more.map((right) => right.slice(1)).filter((name) => !done.has(name))).toEqual(['asking']);
  },
  DEADLINE_MS,
);

test('the doctor asks for the same commands', async () => {
  const ofConnections = ['ping', 'client|setname', 'command|info'];
  const allowed = granted(await readFile(DOCUMENTED, 'utf8')).filter((name) => !ofConnections.includes(name));
  expect(allowed.sort()).toEqual([...COMMANDS].sort());
});

test.each(['xadd', 'hdel', 'time', 'publish', 'smembers'])(
  'the control: without %s, that is denied, and seen',
  async (command) => {
    const { observer, variables } = await startRedis((users) => users.replace(` +${command}`, ''));
    const env = { ...variables, REDIS_FALLBACK: 'exit' };
    const use = useEverything(env, async () => {}).catch(() => {});
    // Two servers and the doctor start meanwhile, beside other tests.
    const isDenied = async (): Promise<void> => expect(await denied(observer)).toContain(command);
    await eventually('it was denied', isDenied, DEADLINE_MS / 2);
    await processes.clean();
    await use;
  },
  DEADLINE_MS,
);

test('the control: without the channels of the Socket.IO adapter, that is denied, and seen', async () => {
  const { observer, variables } = await startRedis((users) => users.replace(' &flow:ws#/#*', ''));
  const server = await processes.startServer({ documents: await processes.directory(), env: variables });
  await server.line(/other instances cannot be heard/);
  expect(await denied(observer)).toEqual(['flow:ws#/#*']);
});
