import { isDeepStrictEqual } from 'node:util';
import { Cluster } from 'ioredis';
import type { Replies, RequestInputs } from '../../src/protocol/schemas';
import { forEachService } from '../../src/protocol/services';
import type { RedisConnections } from '../../src/redis/redis-connections';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession } from '../support/documents';
import { eventually } from '../support/eventually';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { type TestServer, useServers } from '../support/server';
import { expectNothingUnhandled } from '../support/unhandled';
import type { WireClient } from '../support/wire-client';

const ON_REDIS = forEachService(() => 'redis' as const);
/** Every third of a lease is a round, in which everything lost is found; in this one, no test sees a round. */
const LONG_LEASE_MS = 90_000;
const SHORT_LEASE_MS = 1_500;
const AWARENESS_INTERVAL_MS = 50;

/** What a client believes who has heard the reply to its join and everything since. */
class Believer {
  readonly client: WireClient;
  readonly sessionId: string;
  readonly reply: Replies['session:join'];

  static async join(
    server: TestServer,
    user: string,
    sessionId: string,
    given: Partial<RequestInputs['session:join']> = {},
  ): Promise<Believer> {
    const client = await server.connect({ user });
    const reply = await client.demand('session:join', { sessionId, ...given });
    return new Believer(client, sessionId, reply);
  }

  private constructor(client: WireClient, sessionId: string, reply: Believer['reply']) {
    this.client = client;
    this.sessionId = sessionId;
    this.reply = reply;
  }

  get credentials() {
    const { clientId, signature } = this.reply.client;
    return { clientId, signature };
  }

  get people(): string[] {
    const people = new Set(this.reply.participants.map(({ connectionId }) => connectionId));
    for (const { joined, left } of this.client.all('session:participants')) {
      for (const { connectionId } of left) people.delete(connectionId);
      for (const { connectionId } of joined) people.add(connectionId);
    }
    return [...people].sort();
  }

  get states(): Record<string, unknown> {
    const shown = Object.entries(this.reply.awareness).map(([id, { state }]) => [id, state] as const);
    const states = new Map<string, unknown>(shown);
    for (const frame of this.client.all('awareness:update'))
      for (const [id, { state }] of Object.entries(frame.states)) {
        if (state === null) states.delete(id);
        else states.set(id, state);
      }
    return Object.fromEntries(states);
  }

  point(awarenessId: string, clock: number, state: unknown): Promise<object> {
    return this.client.demand('awareness:update', { sessionId: this.sessionId, awarenessId, clock, state });
  }

  async sees(people: readonly Believer[], states: Record<string, unknown>): Promise<void> {
    const expected = [people.map(({ client }) => client.connectionId).sort(), states];
    await eventually('everybody is known, and where they point', () => {
      const seen = [this.people, this.states];
      if (!isDeepStrictEqual(seen, expected)) throw new Error(JSON.stringify({ seen, expected }));
    });
  }
}

describe.each(REDIS_KINDS)('two instances on one Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  const startServer = useServers();
  expectNothingUnhandled();

  let tests = 0;
  let leaseMs = LONG_LEASE_MS;
  let store: MemoryDocumentStore;
  let near: TestServer;
  let far: TestServer;
  let sessionId: string;
  let command: RedisConnections;

  beforeEach(async () => {
    tests += 1;
    store = new MemoryDocumentStore();
    const redis = { ...backendOf().settings, keyPrefix: `test-${tests}:` };
    const config = { redis, backends: ON_REDIS, configured: ON_REDIS, participantLeaseMs: leaseMs };
    near = await startServer({ store, config: { ...config, instanceId: 'near' } });
    far = await startServer({ store, config: { ...config, instanceId: 'far' } });
    sessionId = await createSession(await near.connect({ user: 'ada' }));
    command = backendOf().connections('test');
    command.client('command');
    await command.start();
  });

  afterEach(() => command.stop());

  /** On every server of the cluster. */
  async function onEveryNode(
    run: (node: { call(name: string, ...given: string[]): Promise<unknown> }) => Promise<void>,
  ) {
    const client = command.client('command');
    for (const node of client instanceof Cluster ? client.nodes('all') : [client]) await run(node);
  }

  async function published(): Promise<number> {
    let count = 0;
    await onEveryNode(async (node) => {
      const stats = String(await node.call('INFO', 'commandstats'));
      for (const [, calls] of stats.matchAll(/^cmdstat_s?publish:calls=(\d+)/gm)) count += Number(calls);
    });
    return count;
  }

  const overHttp = (server: TestServer, method: string, body?: object): Promise<Response> =>
    fetch(`${server.url}/api/sessions/${sessionId}`, {
      method,
      headers: { authorization: 'Bearer ada', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  describe('[DL9] who is there and where they point', () => {
    test('is known on both, to those who are there and to those who join', async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      await ada.point('1', 1, { cursor: 3 });
      const bob = await Believer.join(far, 'bob', sessionId);
      expect(bob.people).toEqual([ada.client.connectionId, bob.client.connectionId].sort());
      await bob.point('2', 1, { cursor: 7 });
      const states = { 1: { cursor: 3 }, 2: { cursor: 7 } };
      for (const one of [ada, bob]) await one.sees([ada, bob], states);
      const late = await Believer.join(far, 'late', sessionId);
      expect([late.people.length, late.reply.awareness]).toEqual([
        3,
        { 1: { clock: 1, state: { cursor: 3 } }, 2: { clock: 1, state: { cursor: 7 } } },
      ]);
      await ada.sees([ada, bob, late], states);
      ada.client.close();
      for (const one of [bob, late]) await one.sees([bob, late], { 2: { cursor: 7 } });
      bob.client.close();
      await late.sees([late], {});
    });

    test('is told to each once', async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      const bob = await Believer.join(far, 'bob', sessionId);
      await ada.sees([ada, bob], {});
      const since = ada.client.all('session:participants').length;
      const late = await Believer.join(far, 'late', sessionId);
      await ada.sees([ada, bob, late], {});
      late.client.close();
      await ada.sees([ada, bob], {});
      const told = ada.client.all('session:participants').slice(since);
      expect(told.map(({ joined, left }) => [joined.length, left.length])).toEqual([
        [1, 0],
        [0, 1],
      ]);
    });

    test("nobody moves the cursor of somebody's on the other instance", async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      const bob = await Believer.join(far, 'bob', sessionId);
      await ada.point('1', 1, 'mine');
      await bob.sees([ada, bob], { 1: 'mine' });
      const theft = { sessionId, awarenessId: '1', clock: 9, state: 'stolen' };
      expect(await bob.client.refusal('awareness:update', theft)).toMatchObject({ code: 'FORBIDDEN' });
      await ada.point('1', 2, 'still mine');
      await bob.sees([ada, bob], { 1: 'still mine' });
    });

    test('costs no message where nobody else has the session open, and one per interval where somebody has', async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      await ada.point('1', 1, 1);
      const before = await published();
      for (let clock = 2; clock <= 200; clock += 1) await ada.point('1', clock, clock);
      expect(await published()).toBe(before);
      const bob = await Believer.join(far, 'bob', sessionId);
      await bob.sees([ada, bob], { 1: 200 });
      const [together, since] = [await published(), performance.now()];
      for (let clock = 201; clock <= 400; clock += 1) await ada.point('1', clock, clock);
      await bob.sees([ada, bob], { 1: 400 });
      const intervals = Math.ceil((performance.now() - since) / AWARENESS_INTERVAL_MS);
      const messages = (await published()) - together;
      expect(messages).toBeGreaterThan(0);
      expect(messages).toBeLessThanOrEqual(intervals + 2);
    });
  });

  test('what Redis answers to those who join grows with their number, not with its square', async () => {
    const answered = async (): Promise<number> => {
      let bytes = 0;
      await onEveryNode(async (node) => {
        const stats = String(await node.call('INFO', 'stats'));
        bytes += Number(/^total_net_output_bytes:(\d+)/m.exec(stats)?.[1]);
      });
      return bytes;
    };
    const bytesPerJoin = async (count: number): Promise<number> => {
      const clients = await Promise.all(
        Array.from({ length: count }, (_, index) => (index % 2 ? near : far).connect({ user: `user-${index}` })),
      );
      const before = await answered();
      await Promise.all(clients.map((client) => client.demand('session:join', { sessionId })));
      return ((await answered()) - before) / count;
    };
    const first = await bytesPerJoin(15);
    const [ada, bob] = [await Believer.join(near, 'ada', sessionId), await Believer.join(far, 'bob', sessionId)];
    // Eight times as many would need eight times as much; what else is said meanwhile, such as audits, takes its share.
    expect(await bytesPerJoin(120)).toBeLessThan(4 * first);
    await eventually('everybody is known to everybody', () => {
      expect([ada, bob].map(({ people }) => people.length)).toEqual([137, 137]);
    });
  }, 60_000);

  test('a client that comes to the other instance is replaced on the first, and its cursor goes along', async () => {
    const witness = await Believer.join(near, 'witness', sessionId);
    const before = await Believer.join(near, 'ada', sessionId);
    await before.point('1', 1, 'before');
    const after = await Believer.join(far, 'ada', sessionId, { client: before.credentials });
    await after.point('1', 2, 'after');
    expect(await before.client.next('session:closed')).toEqual({ sessionId, reason: 'replaced' });
    for (const one of [witness, after]) await one.sees([witness, after], { 1: 'after' });
    const submit = { sessionId, clientSeq: 1, operations: ['late'] };
    expect(await before.client.refusal('operation:submit', submit)).toMatchObject({ code: 'CLIENT_REPLACED' });
    const move = { sessionId, awarenessId: '1', clock: 3, state: 'late' };
    expect(await before.client.refusal('awareness:update', move)).toMatchObject({ code: 'CLIENT_REPLACED' });
    await after.client.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
    // And back again.
    const back = await Believer.join(near, 'ada', sessionId, { client: before.credentials });
    expect(await after.client.next('session:closed')).toEqual({ sessionId, reason: 'replaced' });
    await witness.sees([witness, back], {});
  });

  describe('a session that is renamed', () => {
    test('has its new title on both at once, told to each once', async () => {
      const [ada, bob] = [await Believer.join(near, 'ada', sessionId), await Believer.join(far, 'bob', sessionId)];
      expect((await overHttp(near, 'PATCH', { title: 'New' })).status).toBe(200);
      for (const { client } of [ada, bob])
        expect(await client.next('session:renamed')).toEqual({ sessionId, title: 'New' });
      expect((await Believer.join(far, 'late', sessionId)).reply.session.title).toBe('New');
      for (const { client } of [ada, bob]) expect(client.all('session:renamed')).toHaveLength(1);
    });
  });

  describe('a session that is closed', () => {
    test.each(['near', 'far'])('on the %s instance is so on both at once; what was ordered is saved', async (where) => {
      const [ada, bob] = [await Believer.join(near, 'ada', sessionId), await Believer.join(far, 'bob', sessionId)];
      for (let clientSeq = 1; clientSeq <= 20; clientSeq += 1)
        await bob.client.demand('operation:submit', { sessionId, clientSeq, operations: [clientSeq] });
      expect((await overHttp(where === 'near' ? near : far, 'DELETE')).status).toBe(204);
      for (const { client } of [ada, bob]) {
        expect(await client.next('session:closed')).toEqual({ sessionId, reason: 'closed' });
        expect((await client.refusal('operation:submit', { sessionId, clientSeq: 21, operations: ['x'] })).code).toBe(
          'NOT_JOINED',
        );
        expect((await client.refusal('session:join', { sessionId })).code).toBe('SESSION_NOT_FOUND');
      }
      for (const server of [near, far]) {
        expect((await overHttp(server, 'GET')).status).toBe(404);
        expect((await server.stats()).sessions.open).toBe(0);
      }
      expect((await store.operationLog.head(sessionId))?.seq).toBe(20);
    });

    test('while it is being opened elsewhere is closed there, too', async () => {
      const { operationLog } = store;
      const head = operationLog.head.bind(operationLog);
      let isOpening = false;
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      operationLog.head = async (id) => {
        isOpening = true;
        await held;
        return head(id);
      };
      const client = await far.connect({ user: 'bob' });
      const joining = client.ask('session:join', { sessionId });
      await eventually('the session is being opened', () => isOpening);
      operationLog.head = head;
      expect((await overHttp(near, 'DELETE')).status).toBe(204);
      release();
      await joining;
      await eventually('nobody has it open', async () => expect((await far.stats()).sessions.open).toBe(0));
      expect((await client.refusal('session:join', { sessionId })).code).toBe('SESSION_NOT_FOUND');
    });
  });

  describe('what nobody heard is found in the next round:', () => {
    beforeAll(() => {
      leaseMs = SHORT_LEASE_MS;
    });
    afterAll(() => {
      leaseMs = LONG_LEASE_MS;
    });

    test('[DL9] who is there and where they point, also when connections that listen are cut', async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      const bob = await Believer.join(far, 'bob', sessionId);
      await ada.point('1', 1, 'before');
      await bob.sees([ada, bob], { 1: 'before' });
      let cut = 0;
      await onEveryNode(async (node) => {
        cut += Number(await node.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      });
      expect(cut).toBeGreaterThan(1);
      await ada.point('1', 2, 'meanwhile');
      const late = await Believer.join(near, 'late', sessionId);
      await bob.sees([ada, bob, late], { 1: 'meanwhile' });
    });
    test('that a session was renamed', async () => {
      const bob = await Believer.join(far, 'bob', sessionId);
      await store.sessionRecords.update(sessionId, { title: 'New', updatedAt: 1 });
      expect(await bob.client.next('session:renamed')).toEqual({ sessionId, title: 'New' });
    });
    test('that a session was closed', async () => {
      const bob = await Believer.join(far, 'bob', sessionId);
      await store.sessionRecords.update(sessionId, { closedAt: 1, updatedAt: 1 });
      expect(await bob.client.next('session:closed')).toEqual({ sessionId, reason: 'closed' });
    });

    test('[DL9] while Redis is away for longer than a lease each instance shows its own people; when it is back, everybody', async () => {
      const ada = await Believer.join(near, 'ada', sessionId);
      const bob = await Believer.join(far, 'bob', sessionId);
      await ada.point('1', 1, 'here');
      await bob.sees([ada, bob], { 1: 'here' });
      await backendOf().kill();
      for (const one of [ada, bob]) await one.sees([one], one === ada ? { 1: 'here' } : {});
      await ada.point('1', 2, 'there');
      await backendOf().launch();
      for (const one of [ada, bob]) await one.sees([ada, bob], { 1: 'there' });
      expect([ada, bob].flatMap(({ client }) => client.all('session:closed'))).toEqual([]);
    }, 60_000);
  });
});
