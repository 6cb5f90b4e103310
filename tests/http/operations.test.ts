import { systemClock } from '../../src/lib/clock';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { LossyOrdering } from '../support/lossy-ordering';
import { startServer, type TestServer } from '../support/server';
import { call, createSession, expectRefusal } from './support';

interface Placed {
  epoch: number;
  seq: number;
  duplicate?: true;
  client: { clientId: string; signature: string };
}

interface History {
  entries: Array<{ seq: number; clientId: string; clientSeq: number; operations: unknown[] }>;
  next: number | null;
  head: number;
  saved: number;
  prunedThrough?: number;
}

describe('operations', () => {
  const store = new MemoryDocumentStore();
  let server: TestServer;
  let params: { sessionId: string };

  beforeAll(async () => {
    server = await startServer({ store });
  });
  beforeEach(async () => {
    params = { sessionId: await createSession(server, { format: 'json' }) };
  });
  afterAll(() => server.stop());

  const append = (body: object, as?: string) =>
    call(server, 'appendOperations', { params, body, ...(as === undefined ? {} : { as }) });
  const appended = async (body: object, as?: string) => (await append(body, as)).body as Placed;
  const history = async (query: Record<string, number> = {}) =>
    (await call(server, 'readHistory', { params, query })).body as History;

  test('[EO1] get consecutive places, a batch as one', async () => {
    const first = await appended({ clientSeq: 1, operations: ['a', 'b'] });
    expect(first.seq).toBe(2);
    const { client } = first;
    expect(await appended({ client, clientSeq: 3, operations: ['c'] })).toEqual({ ...first, seq: 3 });
    expect((await history()).entries).toMatchObject([
      { seq: 2, clientId: client.clientId, clientSeq: 2, operations: ['a', 'b'] },
      { seq: 3, clientId: client.clientId, clientSeq: 3, operations: ['c'] },
    ]);
  });

  test('[EO2] a batch sent again gets its old place; with other content it is refused', async () => {
    const { client, epoch } = await appended({ clientSeq: 1, operations: ['a'] });
    expect(await appended({ client, clientSeq: 1, operations: ['a'] })).toEqual({
      epoch,
      seq: 1,
      duplicate: true,
      client,
    });
    await expectRefusal(append({ client, clientSeq: 1, operations: ['b'] }), 'CLIENT_SEQ_CONFLICT');
    expect((await history()).head).toBe(1);
  });

  test('[EO3] a gap is refused with the number that is missing', async () => {
    const { client } = await appended({ clientSeq: 1, operations: ['a'] });
    const error = await expectRefusal(append({ client, clientSeq: 3, operations: ['c'] }), 'CLIENT_SEQ_GAP');
    expect(error).toMatchObject({ expected: 2, action: 'resend' });
  });

  test('each caller without a client is a new one', async () => {
    const one = await appended({ clientSeq: 1, operations: ['a'] });
    const two = await appended({ clientSeq: 1, operations: ['a'] });
    expect(two.seq).toBe(2);
    expect(two.client.clientId).not.toBe(one.client.clientId);
  });

  test('a client speaks only for its own user and session', async () => {
    const { client } = await appended({ clientSeq: 1, operations: ['a'] }, 'ann');
    await expectRefusal(append({ client, clientSeq: 2, operations: ['b'] }, 'bob'), 'CLIENT_INVALID');
    params = { sessionId: await createSession(server, { format: 'json' }) };
    await expectRefusal(append({ client, clientSeq: 2, operations: ['b'] }, 'ann'), 'CLIENT_INVALID');
    expect((await history()).head).toBe(0);
  });

  test('history comes in pages that follow each other', async () => {
    const { client } = await appended({ clientSeq: 1, operations: [1, 2] });
    for (let clientSeq = 3; clientSeq <= 9; clientSeq += 1)
      await append({ client, clientSeq, operations: [clientSeq] });
    const seen: unknown[] = [];
    let after: number | null = 0;
    for (let pages = 0; after !== null && pages < 10; pages += 1) {
      const page: History = await history({ after, limit: 3 });
      expect(page.head).toBe(9);
      expect(page.entries.length).toBeLessThanOrEqual(3);
      expect(page).not.toHaveProperty('prunedThrough');
      seen.push(...page.entries.flatMap(({ operations }) => operations));
      after = page.next;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // A batch is never cut: who asks from its middle gets it whole.
    expect((await history({ after: 1, limit: 1 })).entries).toMatchObject([{ seq: 2, operations: [1, 2] }]);
    expect(await history({ after: 9 })).toMatchObject({ entries: [], next: null });
    expect(await history({ after: 1_000 })).toMatchObject({ entries: [], next: null });
  });

  test('a page of large entries ends early and says where to go on', async () => {
    const { client } = await appended({ clientSeq: 1, operations: ['x'.repeat(600_000)] });
    await append({ client, clientSeq: 2, operations: ['y'.repeat(600_000)] });
    await append({ client, clientSeq: 3, operations: ['z'] });
    const page = await history();
    expect([page.entries.map(({ seq }) => seq), page.next]).toEqual([[1], 1]);
    expect(await history({ after: 2 })).toMatchObject({ entries: [{ seq: 3 }], next: null });
  });

  test('[ST10] history that is no longer kept is named, not passed over', async () => {
    const { sessionId } = params;
    const { client } = await appended({ clientSeq: 1, operations: [1, 2, 3] });
    await append({ client, clientSeq: 4, operations: [4] });
    await eventually('everything is stored', async () => (await history()).saved === 4);
    const [first] = await store.operationLog.readAfter(sessionId, 0, 1_000_000);
    await store.snapshots.put(sessionId, { at: { seq: 3, tag: first?.tag ?? '' }, payload: Buffer.from('"123"') });
    expect(await store.operationLog.prune(sessionId, 3, Number.MAX_SAFE_INTEGER)).toBe(1);

    expect(await history()).toMatchObject({ prunedThrough: 3, entries: [{ seq: 4 }], next: null, head: 4 });
    expect(await history({ after: 3 })).not.toHaveProperty('prunedThrough');
    expect((await call(server, 'readDocument', { params })).body).toMatchObject({
      snapshot: { seq: 3, payload: '123' },
      operations: [4],
    });
  });
});

test('[EO10] more appends of one user under way in a session than the bound are BUSY, those below it and others go through', async () => {
  const ordering = new LossyOrdering(new MemoryEventOrdering({ clock: systemClock }), Math.random);
  const server = await startServer({ ordering, config: { maxInFlightBatches: 2 } });
  try {
    const params = { sessionId: await createSession(server, { format: 'json' }) };
    const append = (as: string) =>
      call(server, 'appendOperations', { params, as, body: { clientSeq: 1, operations: [as] } });
    const release = ordering.holdAppends();
    const appends = ['ada', 'ada', 'ada'].map(append);
    const first = await Promise.race(appends);
    expect(first.body).toMatchObject({ error: { code: 'BUSY', action: 'wait', retryAfterMs: expect.any(Number) } });
    appends.push(append('bob'));
    release();
    const statuses = (await Promise.all(appends)).map(({ status }) => status);
    expect([200, 503].map((status) => statuses.filter((found) => found === status).length)).toEqual([3, 1]);
    expect((await append('ada')).status).toBe(200);
  } finally {
    await server.stop();
  }
});

describe('a duplicate', () => {
  test('has everything that was ordered when it was asked for, and goes its own way', async () => {
    // Long enough that nothing is saved unless somebody waits for it.
    const server = await startServer({ config: { saveIntervalMs: 200 } });
    try {
      const params = { sessionId: await createSession(server, { format: 'json' }) };
      const body = { clientSeq: 1, operations: ['a', 'b'] };
      const { client } = (await call(server, 'appendOperations', { params, body })).body as Placed;
      await call(server, 'duplicateSession', { params, body: { sessionId: 'copy' } });
      await call(server, 'appendOperations', { params, body: { client, clientSeq: 3, operations: ['only here'] } });
      const copy = await call(server, 'readDocument', { params: { sessionId: 'copy' } });
      expect(copy.body).toMatchObject({ operations: ['a', 'b'], head: { seq: 2 } });
    } finally {
      await server.stop();
    }
  });

  test('waits no longer than a stall for a store that takes nothing', async () => {
    const store = new MemoryDocumentStore();
    const save = store.operationLog.save.bind(store.operationLog);
    let isTaking = false;
    store.operationLog.save = (saves) => (isTaking ? save(saves) : Promise.reject(new Error('no space left')));
    const server = await startServer({ store, config: { saveStallMs: 50 } });
    try {
      const params = { sessionId: await createSession(server, { format: 'json' }) };
      await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a'] } });
      const asked = call(server, 'duplicateSession', { params, body: { sessionId: 'copy' } });
      const error = await expectRefusal(asked, 'STORE_UNAVAILABLE');
      expect(error.action).toBe('wait');
      await expectRefusal(call(server, 'readSession', { params: { sessionId: 'copy' } }), 'SESSION_NOT_FOUND');
    } finally {
      isTaking = true;
      await server.stop();
    }
  });
});

describe('operations that the store does not take', () => {
  test('are in history and document all the same, as not saved', async () => {
    const store = new MemoryDocumentStore();
    const save = store.operationLog.save.bind(store.operationLog);
    let isTaking = true;
    store.operationLog.save = (saves) => (isTaking ? save(saves) : Promise.reject(new Error('no space left')));
    const server = await startServer({ store });
    try {
      const params = { sessionId: await createSession(server, { format: 'json' }) };
      const first = await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a', 'b'] } });
      const { client } = first.body as Placed;
      const read = async (query = {}) => (await call(server, 'readHistory', { params, query })).body as History;
      await eventually('the first batch is stored', async () => (await read()).saved === 2);
      isTaking = false;
      await call(server, 'appendOperations', { params, body: { client, clientSeq: 3, operations: ['c'] } });
      await call(server, 'appendOperations', { params, body: { client, clientSeq: 4, operations: ['d'] } });

      expect(await read()).toMatchObject({
        entries: [{ seq: 2 }, { seq: 3 }, { seq: 4 }],
        head: 4,
        saved: 2,
        next: null,
      });
      expect(await read({ limit: 2 })).toMatchObject({ entries: [{ seq: 2 }, { seq: 3 }], next: 3 });
      expect(await read({ after: 3 })).toMatchObject({ entries: [{ seq: 4 }], next: null });
      expect((await call(server, 'readDocument', { params })).body).toMatchObject({ operations: ['a', 'b', 'c', 'd'] });
    } finally {
      isTaking = true;
      await server.stop();
    }
  });
});
