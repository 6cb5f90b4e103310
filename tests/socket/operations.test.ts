import { entryTag } from '../../src/ordering/tag';
import { systemClock } from '../../src/lib/clock';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { GENESIS } from '../../src/protocol/positions';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession, yjsUpdates } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { LossyOrdering } from '../support/lossy-ordering';
import { useDirectories, useServers, type ServerOptions } from '../support/server';

const startServer = useServers();
const makeDirectory = useDirectories();

describe.each(['memory', 'lmdb'] as const)('with store %s', (kind) => {
  const start = async (options: ServerOptions = {}) =>
    startServer(kind === 'lmdb' ? { ...options, documentDir: await makeDirectory() } : options);

  async function oneWriter(options: ServerOptions = {}) {
    const server = await start(options);
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    return { server, ada, sessionId, writer };
  }

  describe('operation:submit', () => {
    test('[EO1] is answered with the position, and comes back to the writer as everyone else gets it', async () => {
      const { server, ada, sessionId, writer } = await oneWriter();
      const reader = await Follower.join(await server.connect({ user: 'bob' }), sessionId);
      const { epoch } = writer.reply.head;
      expect(await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
        epoch,
        seq: 1,
      });
      expect(
        await ada.demand('operation:submit', { sessionId, clientSeq: 2, operations: ['p', { q: 1 }, null] }),
      ).toMatchObject({ epoch, seq: 4 });
      for (const follower of [writer, reader]) {
        await follower.reach(4);
        expect(follower.operations).toEqual(['x', 'p', { q: 1 }, null]);
        expect(follower.entries.map(({ clientId, clientSeq, userId }) => [clientId, clientSeq, userId])).toEqual([
          [writer.credentials.clientId, 1, 'ada'],
          [writer.credentials.clientId, 4, 'ada'],
        ]);
      }
    });

    test('[DL3] the ok comes behind the batch that delivers the operation', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      const seen: number[] = [];
      for (let clientSeq = 1; clientSeq <= 5; clientSeq += 1) {
        await ada.demandThen('operation:submit', { sessionId, clientSeq, operations: ['x'] }, ({ seq }) =>
          seen.push(seq),
        );
        await writer.reach(clientSeq);
      }
      expect(seen).toEqual([1, 2, 3, 4, 5]);
    });

    test('[EO2] a resent batch answers with its position and is delivered once', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      const { epoch } = writer.reply.head;
      const batch = { sessionId, clientSeq: 1, operations: ['x', 'y'] };
      await ada.demand('operation:submit', batch);
      expect(await ada.demand('operation:submit', batch)).toEqual({ status: 'ok', epoch, seq: 2, duplicate: true });
      await ada.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['fence'] });
      await writer.reach(3);
      expect(writer.operations).toEqual(['x', 'y', 'fence']);
      expect(await ada.demand('operation:submit', batch)).toEqual({ status: 'ok', epoch, seq: 3, duplicate: true });
    });

    test('[EO2] the last batch with other content is CLIENT_SEQ_CONFLICT', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
      const refused = await ada.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['y'] });
      expect(refused).toMatchObject({ code: 'CLIENT_SEQ_CONFLICT', action: 'rejoin' });
      await ada.fence();
      expect(writer.operations).toEqual(['x']);
    });

    test('[EO3] a batch that leaves some out, or straddles, is CLIENT_SEQ_GAP with what is expected', async () => {
      const { ada, sessionId } = await oneWriter();
      const gap = (expected: number) => ({ code: 'CLIENT_SEQ_GAP', action: 'resend', expected });
      expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 2, operations: ['x'] })).toMatchObject(
        gap(1),
      );
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] });
      expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 4, operations: ['z'] })).toMatchObject(
        gap(3),
      );
      expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 2, operations: ['y', 'z'] })).toMatchObject(
        gap(3),
      );
      await ada.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['z'] });
    });

    test('[EO4] a base that is not the head is STALE_BASE with the head', async () => {
      const { server, ada, sessionId, writer } = await oneWriter();
      const bob = await server.connect({ user: 'bob' });
      const other = await Follower.join(bob, sessionId);
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'], base: GENESIS });
      const refused = await bob.refusal('operation:submit', {
        sessionId,
        clientSeq: 1,
        operations: ['y'],
        base: GENESIS,
      });
      await writer.reach(1);
      expect(refused).toMatchObject({ code: 'STALE_BASE', action: 'rebase', head: writer.head });
      await other.reach(1);
      await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['y'], base: other.head });
      await writer.reach(2);
      expect(writer.operations).toEqual(['x', 'y']);
    });

    test('[EO5] refusals leave no trace: nothing is delivered, stored, or used up', async () => {
      const { server, ada, sessionId, writer } = await oneWriter();
      const refused = [
        { clientSeq: 2, operations: ['gap'] },
        { clientSeq: 1, operations: [] },
        { clientSeq: 1, operations: ['stale'], base: { seq: 5, tag: '0123456789abcdef' } },
        { clientSeq: 1, operations: ['x'.repeat(1_048_576)] },
        { clientSeq: 1, operations: Array.from({ length: 257 }, () => 1) },
      ];
      for (const submit of refused) await ada.refusal('operation:submit', { sessionId, ...submit });
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['fine'] });
      await writer.reachSaved(1);
      expect(writer.operations).toEqual(['fine']);
      const late = await Follower.join(await server.connect({ user: 'bob' }), sessionId);
      expect(late.operations).toEqual(['fine']);
    });

    test('[SV3] saved reaches the clients, with a batch or alone, and is never ahead of the store', async () => {
      const { server, ada, sessionId, writer } = await oneWriter();
      for (let clientSeq = 1; clientSeq <= 20; clientSeq += 1) {
        await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'] });
      }
      await writer.reachSaved(20);
      const alone = ada.all('operation:saved').map(({ saved }) => saved);
      const withBatches = ada.all('operation:batch').map(({ saved }) => saved);
      expect(Math.max(...alone, ...withBatches)).toBe(20);
      const reply = await (await server.connect({ user: 'bob' })).demand('session:join', { sessionId });
      expect(reply.saved).toEqual({ epoch: writer.epoch, ...writer.head });
    });

    test('the onSaved hook hears of every advance, and its fault harms nobody', async () => {
      const heard: number[] = [];
      const hooks = {
        onSaved: ({ seq }: { seq: number }) => {
          heard.push(seq);
          throw new Error('the application is broken');
        },
      };
      const { ada, sessionId, writer } = await oneWriter({ hooks });
      for (let clientSeq = 1; clientSeq <= 3; clientSeq += 1) {
        await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'] });
        await writer.reachSaved(clientSeq);
      }
      expect(heard.at(-1)).toBe(3);
      expect(heard).toEqual([...heard].sort((a, b) => a - b));
    });
  });

  describe('operation:catch-up', () => {
    test('[DL1] goes page by page, and every mark leads to the next', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      for (let clientSeq = 1; clientSeq <= 12; clientSeq += 2) {
        await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x', 'y'] });
      }
      await writer.reach(12);
      const first = await ada.demand('operation:catch-up', { sessionId, after: GENESIS, limit: 2 });
      expect(first).toMatchObject({
        next: writer.markAt(4),
        more: true,
        head: { epoch: writer.epoch, ...writer.head },
      });
      expect(first.entries.map(({ seq }) => seq)).toEqual([2, 4]);
      const second = await ada.demand('operation:catch-up', { sessionId, after: first.next, limit: 4 });
      expect(second.entries.map(({ seq }) => seq)).toEqual([6, 8, 10, 12]);
      expect(second).toMatchObject({ next: writer.head, more: false });
      expect(await ada.demand('operation:catch-up', { sessionId, after: writer.head })).toMatchObject({
        entries: [],
        more: false,
      });
    });

    test('a mark that is not in the history is refused with rejoin', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] });
      await writer.reach(2);
      const wrong = [
        { seq: 1, tag: '' },
        { seq: 2, tag: '0123456789abcdef' },
        { seq: 3, tag: writer.head.tag },
        { seq: 9_007_199_253_000_000, tag: writer.head.tag },
      ];
      for (const after of wrong) {
        expect(await ada.refusal('operation:catch-up', { sessionId, after })).toMatchObject({
          code: 'NOT_JOINED',
          action: 'rejoin',
        });
      }
    });

    test('one who has not joined may not read', async () => {
      const { server, sessionId } = await oneWriter();
      const eve = await server.connect({ user: 'eve' });
      expect(await eve.refusal('operation:catch-up', { sessionId, after: GENESIS })).toMatchObject({
        code: 'NOT_JOINED',
      });
    });
  });

  describe('session:snapshot', () => {
    test('[ST9] a snapshot must name a saved position, after the latest one', async () => {
      const { ada, sessionId, writer } = await oneWriter();
      await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] });
      await ada.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['z'] });
      await writer.reach(3);
      await writer.reachSaved(3);
      await ada.demand('session:snapshot', { sessionId, ...writer.head, payload: 'whole' });
      const wrong = [
        { seq: 1, tag: '' },
        { seq: 2, tag: '0123456789abcdef' },
        { seq: 4, tag: '0123456789abcdef' },
        writer.markAt(2),
      ];
      for (const at of wrong) {
        expect(await ada.refusal('session:snapshot', { sessionId, ...at, payload: 'wrong' })).toMatchObject({
          code: 'BAD_REQUEST',
        });
      }
      expect((await ada.demand('session:join', { sessionId })).snapshot).toEqual({ ...writer.head, payload: 'whole' });
    });

    test('[ST9] of a Yjs session the server makes them itself', async () => {
      const server = await start();
      const ada = await server.connect({ user: 'ada' });
      const sessionId = await createSession(ada, 'yjs');
      await ada.demand('session:join', { sessionId });
      expect(await ada.refusal('session:snapshot', { sessionId, ...GENESIS, payload: 'AAA=' })).toMatchObject({
        code: 'BAD_REQUEST',
      });
    });
  });
});

describe('[EO10] limits', () => {
  const config = { maxOperationBytes: 1_000, maxBatchBytes: 2_000, maxBatchOperations: 8, maxInFlightBatches: 4 };

  async function joined(options: ServerOptions = {}) {
    const server = await startServer({ ...options, config: { ...config, ...options.config } });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    return { server, ada, sessionId, writer };
  }

  test.each([
    ['an operation', ['x'.repeat(1_000)]],
    ['a batch in bytes', ['x'.repeat(900), 'x'.repeat(900), 'x'.repeat(300)]],
    ['a batch in operations', Array.from({ length: 9 }, () => 1)],
  ])('%s over its bound is TOO_LARGE', async (_what, operations) => {
    const { ada, sessionId, writer } = await joined();
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 1, operations })).toMatchObject({
      code: 'TOO_LARGE',
      action: 'stop',
    });
    await ada.demand('operation:submit', {
      sessionId,
      clientSeq: 1,
      operations: operations.slice(0, 1).map(() => 'small'),
    });
    await writer.reach(1);
  });

  test('more batches in flight than the bound are BUSY, and those below it go through', async () => {
    const ordering = new LossyOrdering(new MemoryEventOrdering({ clock: systemClock }), Math.random);
    const { ada, sessionId, writer } = await joined({ ordering });
    const release = ordering.holdAppends();
    const answers = Array.from({ length: 7 }, (_, index) =>
      ada.ask('operation:submit', { sessionId, clientSeq: index + 1, operations: [index + 1] }),
    );
    const busy = await Promise.all(answers.slice(4));
    for (const answer of busy) {
      expect(answer).toMatchObject({
        status: 'error',
        error: { code: 'BUSY', action: 'wait', retryAfterMs: expect.any(Number) },
      });
    }
    release();
    expect(await Promise.all(answers.slice(0, 4))).toMatchObject([{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }]);
    await ada.demand('operation:submit', { sessionId, clientSeq: 5, operations: [5] });
    await writer.reach(5);
    expect(writer.operations).toEqual([1, 2, 3, 4, 5]);
  });

  test('[ST7] with too much unsaved it is STORE_UNAVAILABLE and wait, until the store takes it', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const { server, ada, sessionId, writer } = await joined({
      store,
      config: { maxUnsavedBytes: 5_000, saveStallMs: 50 },
    });
    store.isFull = true;
    let clientSeq = 0;
    let refused;
    while (!refused && clientSeq < 100) {
      clientSeq += 1;
      const answer = await ada.ask('operation:submit', { sessionId, clientSeq, operations: ['x'.repeat(500)] });
      if (answer.status === 'error') refused = answer.error;
    }
    expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE', action: 'wait', retryAfterMs: expect.any(Number) });
    expect(clientSeq).toBeGreaterThan(3);
    expect(clientSeq).toBeLessThan(12);
    await eventually('readiness turns red', async () =>
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(503),
    );
    // By the fourth attempt more time has passed than anything saved takes to be announced.
    await eventually('it is tried again and again', () => store.counts.savesRefused > 3);
    expect(writer.saved).toBe(0);
    store.isFull = false;
    await writer.reachSaved(clientSeq - 1);
    await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'] });
    await writer.reachSaved(clientSeq);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    expect((await store.operationLog.readAfter(sessionId, 0, 1_000_000)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: clientSeq }, (_, index) => index + 1),
    );
  });
});

describe('[DL5] frames', () => {
  test('a burst is delivered in few frames, the first of them at once', async () => {
    const fanoutIntervalMs = 2_000;
    const server = await startServer({ config: { fanoutIntervalMs } });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const reader = await Follower.join(bob, sessionId);
    await ada.demand('session:join', { sessionId });
    const since = performance.now();
    const count = 300;
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: [1] });
    await bob.next('operation:batch');
    expect(performance.now() - since).toBeLessThan(fanoutIntervalMs);
    for (let clientSeq = 2; clientSeq <= count; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: [clientSeq] });
    }
    await reader.reach(count);
    const frames = bob.all('operation:batch').length;
    expect(frames).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - since) / fanoutIntervalMs));
    expect(reader.operations).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    expect(reader.faults).toEqual([]);
  });

  test('the tag of a frame is the tag of the history it ends', async () => {
    const server = await startServer();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada, 'yjs');
    const { client } = await ada.demand('session:join', { sessionId });
    const [update] = yjsUpdates('héllo');
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: [update] });
    const batch = await ada.next('operation:batch');
    const identity = {
      prevTag: '',
      clientId: client.clientId,
      clientSeq: 1,
      count: 1,
      seq: 1,
      operations: JSON.stringify([update]),
    };
    expect(batch).toMatchObject({ prevSeq: 0, prevTag: '', tag: entryTag(identity) });
  });
});

test('[DL1] [EO11] a join tells the history as far as it knows of the numbers of its client, also where the hint for them was lost', async () => {
  const shared = new MemoryEventOrdering({ clock: systemClock, scope: 'shared' });
  const ordering = new LossyOrdering(shared, Math.random);
  // No audit comes to the rescue.
  const server = await startServer({ ordering, config: { auditIntervalMs: 600_000 } });
  const ada = await server.connect({ user: 'ada' });
  const sessionId = await createSession(ada);
  const { clientId, signature } = (await Follower.join(ada, sessionId)).reply.client;
  const client = { clientId, signature };
  ordering.fates = { dropped: 1 };
  ordering.appends = 'lose-the-answer';
  expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
  });
  ordering.appends = 'work';
  expect(ordering.counts).toMatchObject({ appendsFailed: 1, dropped: 1 });

  // What it does not find in the history under a number that is taken, a client takes for another tab's, and sends its own again.
  const again = await Follower.join(await server.connect({ user: 'ada' }), sessionId, { client });
  expect([again.reply.client.lastClientSeq, again.operations]).toEqual([1, ['x']]);
});
