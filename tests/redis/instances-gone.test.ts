import { eventually } from '../support/eventually';
import { REDIS_KINDS, RedisBackend } from '../support/redis-backend';
import { Processes, type ServerProcess, type Variables } from '../support/server-process';
import { WireClient } from '../support/wire-client';

/** What is lost with an instance is gone within it. */
const LEASE_MS = 3_000;
/** A round may be late on a busy machine. */
const LATE_MS = 1_500;

describe.each(REDIS_KINDS)('[DL9] an instance of two on one Redis (%s)', (kind) => {
  const processes = new Processes();
  const clients: WireClient[] = [];
  let backend: RedisBackend;
  let lost: ServerProcess;
  let left: ServerProcess;

  beforeEach(async () => {
    backend = await RedisBackend.start(kind);
    const documents = await processes.directory();
    const start = (instanceId: string): Promise<ServerProcess> =>
      processes.startServer({ documents, env: { ...envOf(backend), INSTANCE_ID: instanceId } });
    [lost, left] = await Promise.all([start('lost'), start('left')]);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await processes.clean();
    await backend.stop();
  });

  const envOf = ({ settings: { target } }: RedisBackend): Variables => ({
    ...(target.kind === 'cluster'
      ? { REDIS_CLUSTER_NODES: target.nodes.map(({ host, port }) => `${host}:${port}`).join(',') }
      : { REDIS_URL: target.kind === 'single' ? `redis://${target.host}:${target.port}` : '' }),
    USE_REDIS_EVENT_ORDERING: 'true',
    USE_REDIS_COLLABORATION: 'true',
    USE_REDIS_WEBSOCKETS: 'true',
    FLOW_SECRET: 'the same on every instance',
    PARTICIPANT_LEASE_MS: String(LEASE_MS),
  });

  async function connect(server: ServerProcess, user: string): Promise<WireClient> {
    const client = await WireClient.connect(server.url, { user });
    clients.push(client);
    return client;
  }

  /** Ada is on the instance that will be lost, with a cursor; Bob on the other sees her. */
  async function adaAndBob() {
    const [ada, bob] = [await connect(lost, 'ada'), await connect(left, 'bob')];
    const { sessionId } = (await ada.demand('session:create', { format: 'json' })).session;
    await ada.demand('session:join', { sessionId });
    await ada.demand('awareness:update', { sessionId, awarenessId: '1', clock: 1, state: 'here' });
    const { awareness } = await bob.demand('session:join', { sessionId });
    if (!awareness['1']) await bob.next('awareness:update', ({ states }) => states['1']?.state === 'here');
    return { sessionId, ada, bob };
  }

  const whoLeft = (client: WireClient): string[] =>
    client.all('session:participants').flatMap((change) => change.left.map(({ userId }) => userId));

  test('is killed with -9: within the lease nobody shows its people any more, and whoever joins is not told of them', async () => {
    const { sessionId, bob } = await adaAndBob();
    lost.signal('SIGKILL');
    await bob.next('awareness:update', ({ states }) => states['1']?.state === null, LEASE_MS + LATE_MS);
    await eventually('she has left', () => expect(whoLeft(bob)).toEqual(['ada']));
    const late = await connect(left, 'late');
    const { participants, awareness } = await late.demand('session:join', { sessionId });
    expect(participants.map(({ userId }) => userId).sort()).toEqual(['bob', 'late']);
    expect(awareness).toEqual({});
  }, 60_000);

  test('stands still for longer than the lease: its people have left, and come back when it goes on', async () => {
    const { ada, bob } = await adaAndBob();
    lost.signal('SIGSTOP');
    await bob.next('awareness:update', ({ states }) => states['1']?.state === null, LEASE_MS + LATE_MS);
    await bob.next('session:participants', (change) => change.left.some(({ userId }) => userId === 'ada'));
    lost.signal('SIGCONT');
    await bob.next('session:participants', ({ joined }) => joined.some(({ userId }) => userId === 'ada'));
    await bob.next('awareness:update', ({ states }) => states['1']?.state === 'here');
    await eventually('ada is told of bob', () => {
      const people = new Set<string>();
      for (const { joined, left: gone } of ada.all('session:participants')) {
        for (const { userId } of gone) people.delete(userId);
        for (const { userId } of joined) people.add(userId);
      }
      expect(people).toContain('bob');
    });
  }, 60_000);

  test('stops in order: its people are gone at once', async () => {
    const { bob } = await adaAndBob();
    const since = performance.now();
    lost.signal('SIGTERM');
    await bob.next('session:participants', (change) => change.left.some(({ userId }) => userId === 'ada'));
    await bob.next('awareness:update', ({ states }) => states['1']?.state === null);
    expect((await lost.ended).code).toBe(0);
    expect(performance.now() - since).toBeLessThan(LEASE_MS);
  }, 60_000);
});
