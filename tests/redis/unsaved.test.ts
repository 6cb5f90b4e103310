import { loadConfig } from '../../config/load-config';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { RedisServer } from '../support/redis-server';
import { type TestServer, useServers } from '../support/server';

const start = useServers();
let redis: RedisServer;
beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(() => redis.stop());

const MAX_UNSAVED_BYTES = 5_000;
/** With what is counted for each entry beside it, some of them are too much. */
const OPERATION = 'x'.repeat(500);

function instance(instanceId: string, store: FaultyStore): Promise<TestServer> {
  const {
    redis: settings,
    backends,
    configured,
  } = loadConfig({
    REDIS_URL: redis.url,
    USE_REDIS_EVENT_ORDERING: 'true',
    USE_REDIS_COLLABORATION: 'true',
    USE_REDIS_WEBSOCKETS: 'true',
  });
  const config = { instanceId, redis: settings, backends, configured, maxUnsavedBytes: MAX_UNSAVED_BYTES };
  return start({ store, config: { ...config, auditIntervalMs: 50 } });
}

test('[EO10] while the store refuses, an instance refuses what is too much also where another one saves, and Redis stays small', async () => {
  const store = new FaultyStore(new MemoryDocumentStore());
  const [saving, other] = [await instance('saving', store), await instance('other', store)];
  const [ada, bob] = [await saving.connect({ user: 'ada' }), await other.connect({ user: 'bob' })];
  const { session } = await ada.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  // Who opens it first saves it.
  const adas = await Follower.join(ada, sessionId);
  const bobs = await Follower.join(bob, sessionId);

  store.isFull = true;
  let clientSeq = 0;
  let refused: unknown;
  while (!refused && clientSeq < 100) {
    clientSeq += 1;
    const answer = await bob.ask('operation:submit', { sessionId, clientSeq, operations: [OPERATION] });
    if (answer.status === 'error') refused = answer.error;
  }
  const waits = { code: 'STORE_UNAVAILABLE', action: 'wait', retryAfterMs: expect.any(Number) };
  expect(refused).toMatchObject(waits);
  expect(clientSeq).toBeGreaterThan(3);
  expect(clientSeq).toBeLessThan(12);
  await adas.reach(clientSeq - 1);
  // What came through the other one fills the one that saves as well.
  const answer = await ada.ask('operation:submit', { sessionId, clientSeq: 1, operations: [OPERATION] });
  expect(answer).toMatchObject({ error: waits });
  await eventually('saving was tried, by one of them', () => store.counts.savesRefused > 1);

  store.isFull = false;
  await bobs.reachSaved(clientSeq - 1);
  await bob.demand('operation:submit', { sessionId, clientSeq, operations: [OPERATION] });
  await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: [OPERATION] });
  await bobs.reachSaved(clientSeq + 1);
  const stored = await store.operationLog.readAfter(sessionId, 0, 1_000_000);
  expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: clientSeq + 1 }, (_, index) => index + 1));
});
