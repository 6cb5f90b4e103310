import type { SessionInfo } from '../../src/protocol/schemas';
import type { RedisConnections } from '../../src/redis/redis-connections';
import type { CollaborationService } from '../../src/sessions/collaboration-service';
import { MemoryCollaborationService } from '../../src/sessions/memory-collaboration-service';
import { RedisCollaborationService } from '../../src/sessions/redis-collaboration-service';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { ManualClock } from '../support/manual-clock';
import { REDIS_KINDS, type RedisBackend, redisBackendForAll } from '../support/redis-backend';
import { type SharedStore, sharedMemoryStore } from '../support/stores';
import { expectNothingUnhandled } from '../support/unhandled';
import { collaborationServiceContract } from './collaboration-service.contract';

const TTL_MS = 60_000;

/** Two instances on one store and one Redis. */
async function startNodes(backend: RedisBackend) {
  const store: SharedStore = await sharedMemoryStore();
  const keys = backend.freshKeys();
  const clock = new ManualClock();
  const connections: RedisConnections[] = [];
  const { lines, log } = logLines();
  const records = new MemoryCollaborationService({ records: store.one.sessionRecords, clock });
  const instance = async (instanceId: string) => {
    const redis = backend.connections(instanceId);
    connections.push(redis);
    const service = new RedisCollaborationService({ records, redis, keys, log, ttlMs: TTL_MS });
    await redis.start();
    return { service, redis };
  };
  const [one, other] = [await instance('one'), await instance('other')];
  const client = one.redis.client('command');
  return {
    one: one.service,
    other: other.service,
    records,
    /** Another instance, whose records are partly a test's own. */
    serviceOver: (own: Partial<CollaborationService>) =>
      new RedisCollaborationService({
        records: {
          create: (draft) => records.create(draft),
          get: (sessionId) => records.get(sessionId),
          list: (query) => records.list(query),
          rename: (sessionId, title) => records.rename(sessionId, title),
          duplicate: (sourceId, draft) => records.duplicate(sourceId, draft),
          close: (sessionId) => records.close(sessionId),
          touch: () => records.touch(),
          ...own,
        },
        redis: one.redis,
        keys,
        log,
        ttlMs: TTL_MS,
      }),
    redis: one.redis,
    lines,
    store: store.one,
    pass: async (ms: number) => clock.advance(ms),
    view: (sessionId: string) => client.hgetall(keys.session(sessionId)),
    timeLeft: (sessionId: string) => client.pttl(keys.session(sessionId)),
    hide: (sessionId: string) => client.del(keys.session(sessionId)),
    async stop() {
      await Promise.all(connections.map((redis) => redis.stop()));
      await store.close();
    },
  };
}

type Nodes = Awaited<ReturnType<typeof startNodes>>;

/** Redis knows texts only. */
const shown = (session: SessionInfo): Record<string, string> =>
  Object.fromEntries(Object.entries(session).map(([name, value]) => [name, String(value)]));

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  expectNothingUnhandled();

  collaborationServiceContract(`Redis (${kind}), two instances`, () => startNodes(backendOf()));

  describe('the view of a session', () => {
    let nodes: Nodes;

    beforeEach(async () => {
      nodes = await startNodes(backendOf());
    });

    afterEach(() => nodes.stop());

    const notes = { sessionId: 'notes', format: 'yjs', createdBy: 'ada', link: 'none' } as const;

    test('HGETALL shows a session from when it is made, as it is now, until it is closed', async () => {
      expect(await nodes.view('notes')).toEqual({});
      const made = await nodes.one.create({ ...notes, title: 'Notes' });
      expect(await nodes.view('notes')).toEqual(shown(made));
      await nodes.pass(5);
      const renamed = await nodes.other.rename('notes', 'Better');
      expect(await nodes.view('notes')).toEqual(shown(renamed));
      const copy = await nodes.one.duplicate('notes', { createdBy: 'bob', link: 'none' });
      expect(await nodes.view(copy.sessionId)).toEqual(shown(copy));
      await nodes.other.close('notes');
      expect(await nodes.view('notes')).toEqual({});
    });

    test('it ends when the session is not used, and lasts when it is', async () => {
      await nodes.one.create(notes);
      await backendOf().pass(nodes.redis, TTL_MS / 2);
      expect(await nodes.timeLeft('notes')).toBeLessThanOrEqual(TTL_MS / 2);
      await nodes.other.get('notes');
      await eventually('it lasts', async () => expect(await nodes.timeLeft('notes')).toBeGreaterThan(TTL_MS / 2));
      await backendOf().pass(nodes.redis, TTL_MS);
      expect(await nodes.view('notes')).toEqual({});
    });

    test('it lasts while the session is open, and is there again when it was lost; a closed one has none', async () => {
      const made = await nodes.one.create(notes);
      await nodes.one.create({ ...notes, sessionId: 'lost' });
      await nodes.one.create({ ...notes, sessionId: 'closed' });
      await backendOf().pass(nodes.redis, TTL_MS / 2);
      await nodes.hide('lost');
      await nodes.other.close('closed');
      await nodes.one.touch(['notes', 'lost', 'closed']);
      expect(await nodes.timeLeft('notes')).toBeGreaterThan(TTL_MS / 2);
      expect(await nodes.timeLeft('lost')).toBeGreaterThan(TTL_MS / 2);
      expect(await nodes.view('notes')).toEqual(shown(made));
      expect(await nodes.view('closed')).toEqual({});
    });

    test('a session whose view has ended is shown again when it is used, and one that nobody made is not', async () => {
      const made = await nodes.one.create(notes);
      await nodes.hide('notes');
      await nodes.other.get('nobody');
      await nodes.other.get('notes');
      await eventually('it is shown', async () => expect(await nodes.view('notes')).toEqual(shown(made)));
      expect(await nodes.view('nobody')).toEqual({});
    });

    test('a view that tells of the past is corrected when the session is used', async () => {
      await nodes.one.create(notes);
      await nodes.pass(5);
      const renamed = await nodes.records.rename('notes', 'Behind its back');
      await nodes.other.get('notes');
      await eventually('it is right', async () => expect(await nodes.view('notes')).toEqual(shown(renamed)));
    });

    test('a session that is closed while its view is being written has none in the end', async () => {
      await nodes.one.create(notes);
      await nodes.hide('notes');
      let letGo = (): void => {};
      const held = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      let reads = 0;
      const slow = nodes.serviceOver({
        // The first read answers, the second one is what the view will show; it is of the past when it comes.
        async get(sessionId) {
          const session = await nodes.records.get(sessionId);
          reads += 1;
          if (reads === 2) await held;
          return session;
        },
      });
      await slow.get('notes');
      await eventually('the record has been read for the view', () => reads === 2);
      await nodes.other.close('notes');
      letGo();
      await eventually('the view was written, looked at again and removed', () => reads === 4);
      await eventually('there is no view', async () => expect(await nodes.view('notes')).toEqual({}));
    });

    test('many who use, rename and close at once leave no view that is wrong', async () => {
      for (let round = 0; round < 20; round += 1) {
        const sessionId = `race-${round}`;
        await nodes.one.create({ ...notes, sessionId });
        await nodes.hide(sessionId);
        await Promise.all([
          nodes.one.get(sessionId),
          nodes.other.get(sessionId),
          nodes.one.rename(sessionId, 'first'),
          nodes.other.rename(sessionId, 'second'),
        ]);
        const now = await nodes.records.get(sessionId);
        await eventually('the view is right', async () => {
          expect(await nodes.view(sessionId)).toEqual(now && shown(now));
        });
        await Promise.all([nodes.one.get(sessionId), nodes.other.get(sessionId), nodes.one.close(sessionId)]);
        await eventually('there is no view', async () => expect(await nodes.view(sessionId)).toEqual({}));
      }
    });

    test('Redis killed: everything works without it, which is said once; Redis back: sessions are shown again', async () => {
      await nodes.one.create(notes);
      await backendOf().kill();
      await nodes.pass(5);
      const renamed = await nodes.one.rename('notes', 'Without Redis');
      const other = await nodes.one.create({ ...notes, sessionId: 'other' });
      await nodes.one.close('other');
      for (let asked = 0; asked < 5; asked += 1) expect(await nodes.one.get('notes')).toEqual(renamed);
      expect(await nodes.other.get('other')).toBeNull();
      const one = nodes.lines.filter(({ msg }) => msg.includes('cannot be shown'));
      expect(one).toHaveLength(1);
      await backendOf().launch();
      await eventually('it is shown again', async () => {
        await nodes.one.get('notes');
        expect(await nodes.view('notes')).toEqual(shown(renamed));
      });
      expect(await nodes.view(other.sessionId)).toEqual({});
      expect(nodes.lines.filter(({ msg }) => msg.includes('shown in Redis again'))).toHaveLength(1);
    });
  });
});
