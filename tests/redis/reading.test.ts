import { z } from 'zod';
import { forEachService } from '../../src/protocol/services';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession, yjsUpdates } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { type TestServer, useServers } from '../support/server';
import { ask } from '../support/server-process';
import { expectNothingUnhandled } from '../support/unhandled';
import type { WireClient } from '../support/wire-client';

const ON_REDIS = forEachService(() => 'redis' as const);

const history = z.object({
  entries: z.array(z.object({ seq: z.int(), operations: z.array(z.unknown()) })),
  head: z.int(),
  saved: z.int(),
  next: z.int().nullable(),
});
const jsonDocument = z.object({ operations: z.array(z.unknown()), head: z.object({ seq: z.int() }) });
const refusal = z.object({ error: z.object({ code: z.string(), action: z.string() }) });

describe.each(REDIS_KINDS)('over HTTP, of a session that is open on another instance (%s),', (kind) => {
  const backendOf = redisBackendForAll(kind);
  const startServer = useServers();
  expectNothingUnhandled();

  let tests = 0;
  let store: FaultyStore;
  let near: TestServer;
  let far: TestServer;
  let ada: WireClient;
  let sessionId: string;

  beforeEach(async () => {
    tests += 1;
    const redis = { ...backendOf().settings, keyPrefix: `reading-${tests}:` };
    const config = { redis, backends: ON_REDIS, configured: ON_REDIS, stopDeadlineMs: 1_000 };
    store = new FaultyStore(new MemoryDocumentStore());
    near = await startServer({ store, config: { ...config, instanceId: 'near' } });
    far = await startServer({ store, config: { ...config, instanceId: 'far' } });
    ada = await near.connect({ user: 'ada' });
  });

  const open = async (format: 'json' | 'yjs'): Promise<void> => {
    sessionId = await createSession(ada, format);
    await ada.demand('session:join', { sessionId });
  };
  const write = (clientSeq: number, ...operations: unknown[]) =>
    ada.demand('operation:submit', { sessionId, clientSeq, operations });
  const path = (what: string): string => `${far.url}/api/sessions/${sessionId}/${what}`;
  const isOpenThere = async (): Promise<boolean> => (await far.stats()).sessions.open > 0;

  test('[EO8] the history has what is ordered and not saved yet', async () => {
    await open('json');
    await write(1, 'saved');
    await ada.next('operation:saved');
    store.isFull = true;
    await write(2, 'a', 'b');
    await write(4, 'c');
    const { body } = await ask(path('operations?after=0'), history, 'ada');
    expect(body.entries.map(({ operations }) => operations)).toEqual([['saved'], ['a', 'b'], ['c']]);
    expect(body).toMatchObject({ head: 4, saved: 1, next: null });
    const page = await ask(path('operations?after=1&limit=1'), history, 'ada');
    expect(page.body).toMatchObject({ entries: [{ seq: 3 }], head: 4, saved: 1, next: 3 });
    const last = await ask(path('operations?after=3'), history, 'ada');
    expect(last.body).toMatchObject({ entries: [{ seq: 4 }], next: null });
    expect(await isOpenThere()).toBe(false);
    store.isFull = false;
  });

  test('[EO8] the document is the one that is ordered, in either format', async () => {
    await open('json');
    store.isFull = true;
    await write(1, 'a');
    await write(2, 'b');
    const json = await ask(path('document'), jsonDocument, 'ada');
    expect(json.body).toMatchObject({ operations: ['a', 'b'], head: { seq: 2 } });
    await open('yjs');
    await write(1, ...yjsUpdates('not ', 'saved'));
    const text = await fetch(path('document'), { headers: { authorization: 'Bearer ada' } });
    expect([await text.text(), text.headers.get('flow-seq')]).toEqual(['not saved', '2']);
    store.isFull = false;
  });

  test('a duplicate begins with what is ordered', async () => {
    await open('json');
    let letSave = (): void => {};
    store.heldSaves = new Promise((resolve) => {
      letSave = resolve;
    });
    await write(1, 'a');
    const duplicating = fetch(path('duplicate'), {
      method: 'POST',
      headers: { authorization: 'Bearer ada', 'content-type': 'application/json' },
      body: '{"sessionId":"copy"}',
    });
    await eventually('far to wait for what is not saved', isOpenThere);
    letSave();
    expect((await duplicating).status).toBe(201);
    const { body } = await ask(`${near.url}/api/sessions/copy/document`, jsonDocument, 'ada');
    expect(body.operations).toEqual(['a']);
  });

  test('[ST4] a hot log that does not continue the store is not shown', async () => {
    await open('json');
    await write(1, 'kept');
    await ada.next('operation:saved');
    store.isFull = true;
    await write(2, 'of an epoch that is over');
    await store.operationLog.openEpoch(sessionId, 1, 1);
    const { body } = await ask(path('operations?after=0'), history, 'ada');
    expect(body).toMatchObject({ entries: [{ operations: ['kept'] }], head: 1, saved: 1, next: null });
    store.isFull = false;
  });

  test('[EO8] while Redis is away nobody is told that what is stored is all there is', async () => {
    await open('json');
    await write(1, 'x');
    await backendOf().kill();
    for (const what of ['operations?after=0', 'document']) {
      const { status, body } = await ask(path(what), refusal, 'ada');
      expect({ status, ...body.error }).toMatchObject({ status: 503, code: 'BACKEND_UNAVAILABLE', action: 'wait' });
    }
    await backendOf().launch();
  });
});
