import { GENESIS } from '../../src/protocol/positions';
import type { SessionInfo } from '../../src/protocol/schemas';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { RawSocket } from '../support/raw-socket';
import { type TestServer, useDirectories, useServers, type ServerOptions } from '../support/server';
import type { WireClient } from '../support/wire-client';

const startServer = useServers();
const makeDirectory = useDirectories();

/** Writes as fast as it may, so many batches in flight, until told to stop; answers how many operations it wrote. */
function writeAtFullSpeed(
  client: WireClient,
  sessionId: string,
  inFlight: number,
  payload: (clientSeq: number) => unknown[],
) {
  let isWriting = true;
  const writing = (async () => {
    let clientSeq = 1;
    while (isWriting) {
      const answers = [];
      while (answers.length < inFlight) {
        const operations = payload(clientSeq);
        answers.push(client.demand('operation:submit', { sessionId, clientSeq, operations }));
        clientSeq += operations.length;
      }
      await Promise.all(answers);
    }
    return clientSeq - 1;
  })();
  return {
    async stop(): Promise<number> {
      isWriting = false;
      return writing;
    },
  };
}

describe.each(['memory', 'lmdb'] as const)('[DL1] joins while others write at full speed, store %s', (kind) => {
  const start = async (options: ServerOptions = {}) =>
    startServer(kind === 'lmdb' ? { ...options, documentDir: await makeDirectory() } : options);

  async function crowd(server: TestServer, sessionId: string, writers: number, filler = '', inFlight = 8) {
    const clients = await Promise.all(
      Array.from({ length: writers }, (_, index) => server.connect({ user: `writer-${index}` })),
    );
    await Promise.all(clients.map((client) => client.demand('session:join', { sessionId })));
    return clients.map((client, writer) =>
      writeAtFullSpeed(client, sessionId, inFlight, (clientSeq) =>
        Array.from({ length: 1 + (clientSeq % 3) }, (_, index) => `${writer}:${clientSeq + index}${filler}`),
      ),
    );
  }

  test.each([
    {
      what: 'the ring reaches back to the beginning',
      config: { fanoutIntervalMs: 0 },
      filler: '',
      limit: 5_000,
      inFlight: 8,
      pages: 1,
    },
    {
      what: 'pages come from the store',
      config: { ringEntries: 8 },
      filler: 'x'.repeat(6_000),
      limit: 5_000,
      inFlight: 2,
      pages: 2,
    },
    {
      what: 'pages are small',
      config: { ringEntries: 100 },
      filler: 'x'.repeat(6_000),
      limit: 40,
      inFlight: 1,
      pages: 3,
    },
  ])('nothing is missing, nothing comes twice, all in order and whole: $what', async (row) => {
    const { config, filler, limit, inFlight, pages } = row;
    const server = await start({ config });
    const first = await server.connect({ user: 'first' });
    const sessionId = await createSession(first);
    const witness = await Follower.join(first, sessionId);
    const writers = await crowd(server, sessionId, 3, filler, inFlight);
    await witness.reach(400);

    const joiners: Follower[] = [];
    for (let joiner = 0; joiner < 6; joiner += 1) {
      const client = await server.connect({ user: `joiner-${joiner}` });
      // With a mark from the very beginning, every joiner has everything to catch up with.
      joiners.push(
        await Follower.join(client, sessionId, { limit, have: { epoch: 0, head: GENESIS, saved: GENESIS } }),
      );
    }
    const counts = await Promise.all(writers.map((writer) => writer.stop()));
    const total = counts.reduce((sum, count) => sum + count, 0);
    await witness.reach(total);
    for (const joiner of joiners) {
      await joiner.reach(total);
      expect(joiner.faults).toEqual([]);
      expect(joiner.head).toEqual(witness.head);
      expect(joiner.operations).toEqual(witness.operations);
    }
    expect(new Set(witness.operations).size).toBe(total);
    // Otherwise nobody joined in the middle of it, or in one go.
    expect(joiners.some((joiner) => joiner.reply.head.seq < total)).toBe(true);
    for (const joiner of joiners) expect(joiner.pages).toBeGreaterThanOrEqual(pages);
  });

  test('who joins again on the same connection gets no batch before its last page', async () => {
    const server = await start({ config: { ringEntries: 8 } });
    const first = await server.connect({ user: 'first' });
    const sessionId = await createSession(first);
    const witness = await Follower.join(first, sessionId);
    const writers = await crowd(server, sessionId, 2, 'x'.repeat(6_000), 1);
    await witness.reach(400);
    const again = await server.connect({ user: 'again' });
    const followers: Follower[] = [];
    for (let round = 0; round < 4; round += 1) {
      // The earlier ones have heard enough.
      again.socket.removeAllListeners('operation:batch').removeAllListeners('operation:saved');
      const have = { epoch: 0, head: GENESIS, saved: GENESIS };
      const client = followers[0]?.credentials;
      followers.push(await Follower.join(again, sessionId, { have, isAgain: true, ...(client ? { client } : {}) }));
    }
    for (const { pages } of followers) expect(pages).toBeGreaterThan(1);
    const counts = await Promise.all(writers.map((writer) => writer.stop()));
    const last = followers.at(-1);
    await last?.reach(counts.reduce((sum, count) => sum + count, 0));
    for (const { faults } of followers) expect(faults).toEqual([]);
  });
});

describe('[DL7] the ring', () => {
  test('who was away for less than the ring comes back without a read of the store', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const server = await startServer({ store, config: { ringEntries: 50 } });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    const reader = await Follower.join(bob, sessionId);
    let clientSeq = 0;
    const write = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1) {
        clientSeq += 1;
        await ada.demand('operation:submit', { sessionId, clientSeq, operations: [clientSeq] });
      }
      await writer.reachSaved(clientSeq);
    };
    await write(30);
    await reader.reach(30);
    await reader.reachSaved(30);
    bob.close();
    await write(50);
    const have = { epoch: 0, head: reader.head, saved: reader.markAt(reader.saved) };
    const options = { client: reader.credentials, have, known: reader.entries };
    const before = store.counts.pagesRead;
    const back = await Follower.join(await server.connect({ user: 'bob' }), sessionId, options);
    expect(back.reply).toMatchObject({ resume: 'continue', more: false });
    expect(back.pages).toBe(1);
    expect(store.counts.pagesRead).toBe(before);
    expect(back.operations).toEqual(writer.operations);

    await write(1);
    const later = await Follower.join(await server.connect({ user: 'bob' }), sessionId, options);
    expect(store.counts.pagesRead).toBeGreaterThan(before);
    expect(later.reply.resume).toBe('continue');
    expect(later.operations).toEqual(writer.operations);
  });
});

describe('[DL8] an idle session', () => {
  const config = { sessionIdleMs: 40, auditIntervalMs: 10 };

  test('is closed when nobody is there and all is saved, and opens again with everything', async () => {
    const opened: SessionInfo[] = [];
    const server = await startServer({ config, hooks: { onSessionOpened: (session) => opened.push(session) } });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const before = await Follower.join(ada, sessionId);
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] });
    await before.reachSaved(2);
    expect((await server.stats()).sessions).toEqual({ open: 1, participants: 1 });
    ada.close();
    await eventually('the session is closed', async () =>
      expect((await server.stats()).sessions).toEqual({ open: 0, participants: 0 }),
    );
    const back = await server.connect({ user: 'ada' });
    const have = { epoch: 0, head: before.head, saved: before.head };
    const after = await Follower.join(back, sessionId, { client: before.credentials, have, known: before.entries });
    expect(opened.map((session) => session.sessionId)).toEqual([sessionId, sessionId]);
    expect(after.reply).toMatchObject({ resume: 'continue', client: { lastClientSeq: 2 } });
    expect(after.reply.head.epoch).toBeGreaterThan(before.reply.head.epoch);
    expect(await back.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] })).toMatchObject({
      duplicate: true,
      seq: 2,
    });
    await back.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['z'] });
    await after.reachSaved(3);
    expect(after.operations).toEqual(['x', 'y', 'z']);
  });

  test('stays open while somebody is connected, and while something is not saved', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const server = await startServer({ config, store });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const [unsaved, watched] = [await createSession(ada), await createSession(ada)];
    await ada.demand('session:join', { sessionId: unsaved });
    await bob.demand('session:join', { sessionId: watched });
    store.isFull = true;
    await ada.demand('operation:submit', { sessionId: unsaved, clientSeq: 1, operations: ['x'] });
    ada.close();
    const since = performance.now();
    await eventually('several idle times have passed', () => performance.now() - since > config.sessionIdleMs * 5);
    expect((await server.stats()).sessions.open).toBe(2);
    store.isFull = false;
    await eventually('the saved one is closed', async () => expect((await server.stats()).sessions.open).toBe(1));
    expect(await store.operationLog.head(unsaved)).toMatchObject({ seq: 1 });
    await bob.demand('operation:submit', { sessionId: watched, clientSeq: 1, operations: ['still here'] });
  });
});

describe('[DL6] a slow consumer', () => {
  const config = { slowConsumerBytes: 1_000_000, ringBytes: 200_000 };

  /** A raw connection that has joined a session. */
  async function joinRaw(server: TestServer, sessionId: string): Promise<RawSocket> {
    const { socket } = await RawSocket.connect(server.url, { token: 'slow' });
    socket.send(`420${JSON.stringify(['session:join', { sessionId }])}`);
    const answer = await socket.hears((text) => text.startsWith('430'));
    expect(answer).toContain('"status":"ok"');
    return socket;
  }

  test('is cut off; the others notice nothing; it comes back and catches up', async () => {
    const server = await startServer({ config });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    const reader = await Follower.join(bob, sessionId);
    const slow = await joinRaw(server, sessionId);
    expect((await server.stats()).connections.local).toBe(3);
    slow.pause();
    const text = 'x'.repeat(200_000);
    let clientSeq = 0;
    await eventually('the server has cut it off', async () => {
      for (let burst = 0; burst < 10; burst += 1) {
        clientSeq += 1;
        await ada.demand('operation:submit', { sessionId, clientSeq, operations: [`${clientSeq}${text}`] });
      }
      expect((await server.stats()).connections).toMatchObject({ local: 2, slowConsumersCut: 1 });
    });
    await eventually('its TCP connection is gone, without it having read a byte', () => slow.isAbandoned());
    await ada.next('session:participants', ({ left }) => left.some(({ userId }) => userId === 'slow'));
    await writer.reachSaved(clientSeq);
    await reader.reach(clientSeq);
    for (const follower of [writer, reader]) {
      expect(follower.faults).toEqual([]);
      expect(follower.client.socket.connected).toBe(true);
    }
    const back = await Follower.join(await server.connect({ user: 'slow' }), sessionId);
    await back.reach(clientSeq);
    expect(back.faults).toEqual([]);
    expect(back.operations.map((operation) => Number.parseInt(String(operation), 10))).toEqual(
      Array.from({ length: clientSeq }, (_, index) => index + 1),
    );
    slow.close();
  });

  test('who asks for page after page and reads none waits for itself: what is read for it is bounded', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const server = await startServer({ config, store });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    for (let clientSeq = 1; clientSeq <= 20; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'.repeat(200_000)] });
    }
    await writer.reachSaved(20);
    const greedy = await joinRaw(server, sessionId);
    greedy.pause();
    const before = store.counts.pagesRead;
    const page = JSON.stringify(['operation:catch-up', { sessionId, after: GENESIS }]);
    const asked = 200;
    for (let id = 1; id <= asked; id += 1) greedy.send(`42${id}${page}`);
    // Another connection is served all the while.
    for (let fence = 0; fence < 200; fence += 1) await ada.fence();
    const read = store.counts.pagesRead - before;
    expect(read).toBeGreaterThan(0);
    // A megabyte each; the kernels of both sides take the first few.
    expect(read).toBeLessThan(30);
    expect((await server.stats()).connections).toMatchObject({ local: 2, slowConsumersCut: 0 });
    greedy.resume();
    for (let id = 1; id <= asked; id += 1) await greedy.hears((text) => text.startsWith(`43${id}[`));
    expect(store.counts.pagesRead - before).toBe(asked);
    greedy.close();
  });

  test('what waits its turn is bounded: beyond it is BUSY', async () => {
    const server = await startServer({ config, isLimited: false });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'.repeat(100_000)] });
    const greedy = await joinRaw(server, sessionId);
    greedy.pause();
    const page = JSON.stringify(['operation:catch-up', { sessionId, after: GENESIS }]);
    const asked = 1_500;
    for (let id = 1; id <= asked; id += 1) greedy.send(`42${id}${page}`);
    for (let fence = 0; fence < 50; fence += 1) await ada.fence();
    greedy.resume();
    let [served, busy] = [0, 0];
    for (let id = 1; id <= asked; id += 1) {
      const answer = await greedy.hears((text) => text.startsWith(`43${id}[`));
      if (answer.includes('"code":"BUSY","')) busy += 1;
      if (answer.startsWith('[{"status":"ok"', `43${id}`.length)) served += 1;
    }
    expect(busy).toBeGreaterThan(0);
    expect(served).toBeGreaterThanOrEqual(1_024);
    expect(served + busy).toBe(asked);
    greedy.close();
  });

  test('who asks and asks, however small the answers, and reads none is cut off', async () => {
    const server = await startServer({ config: { slowConsumerBytes: 65_536 }, isLimited: false });
    const ada = await server.connect({ user: 'ada' });
    const { socket: deaf } = await RawSocket.connect(server.url);
    deaf.pause();
    const requests = ['session:leave', 'no:such-event'].map((name) => JSON.stringify([name, { sessionId: 'nobody' }]));
    let id = 0;
    const ask = async (): Promise<void> => {
      for (let burst = 0; burst < 5_000; burst += 1) {
        id += 1;
        deaf.send(`42${id}${requests[id % 2]}`);
      }
      await ada.fence();
      expect((await server.stats()).connections).toMatchObject({ local: 1, slowConsumersCut: 1 });
    };
    // The kernels of both sides take some megabytes of answers first.
    await eventually('it is cut off', ask, 25_000);
    deaf.close();
  });
});
