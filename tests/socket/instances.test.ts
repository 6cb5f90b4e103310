import { entryTag } from '../../src/ordering/tag';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { AUDIT_INTERVAL_MS, type Cluster, type Instance, useClusters } from '../support/cluster';
import { createSession } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { useServers } from '../support/server';
import { StubbornAuthor } from '../support/stubborn-author';

const startCluster = useClusters();
const startServer = useServers();

/** A timer may be late on a busy machine; two audits are the promise, the rest is the machine's. */
const TWO_AUDITS_MS = 2 * AUDIT_INTERVAL_MS + 1_300;

const at = ({ instances }: Cluster, index: number): Instance => {
  const instance = instances[index];
  if (!instance) throw new Error(`there is no instance ${index}`);
  return instance;
};

async function followerAt(cluster: Cluster, index: number, sessionId: string): Promise<Follower> {
  const client = await at(cluster, index).server.connect({ user: `reader-${index}` });
  return Follower.join(client, sessionId);
}

async function authorAt(cluster: Cluster, index: number, sessionId: string): Promise<StubbornAuthor> {
  const client = await at(cluster, index).server.connect({ user: `author-${index}` });
  return StubbornAuthor.join(client, sessionId);
}

async function newSession(cluster: Cluster): Promise<string> {
  return createSession(await at(cluster, 0).server.connect({ user: 'founder' }));
}

/** A session on two instances: its author is at the first one, and a reader at each. */
async function startTwoWithReaders() {
  const cluster = await startCluster({ size: 2 });
  const sessionId = await newSession(cluster);
  const author = await authorAt(cluster, 0, sessionId);
  const readers = [await followerAt(cluster, 0, sessionId), await followerAt(cluster, 1, sessionId)];
  return { cluster, sessionId, author, readers };
}

/** Everything stored, held against its own tags: dense, chained, whole. */
async function storedOperations(cluster: Cluster, sessionId: string): Promise<unknown[]> {
  const entries = await cluster.store.operationLog.readAfter(sessionId, 0, Number.MAX_SAFE_INTEGER);
  let before = { seq: 0, tag: '' };
  for (const entry of entries) {
    expect([entry.seq - entry.count, entry.prevTag, entry.tag]).toEqual([before.seq, before.tag, entryTag(entry)]);
    before = entry;
  }
  return entries.flatMap(({ operations }) => JSON.parse(operations) as unknown[]);
}

/** In the end everything every author wrote is stored once, each author's in order, and every instance tells the same story. */
async function expectOneHistory(
  cluster: Cluster,
  sessionId: string,
  authors: readonly StubbornAuthor[],
  instances: Iterable<number> = cluster.instances.keys(),
): Promise<void> {
  for (const author of authors) await author.confirm();
  const total = authors.reduce((sum, { operations }) => sum + operations.length, 0);
  await eventually('everything is stored', async () => {
    expect((await cluster.store.operationLog.head(sessionId))?.seq).toBe(total);
  });
  const stored = await storedOperations(cluster, sessionId);
  for (const { operations } of authors) {
    expect(stored.filter((operation) => operations.includes(operation))).toEqual(operations);
  }
  for (const index of instances) {
    const fresh = await followerAt(cluster, index, sessionId);
    await fresh.reach(total);
    expect(fresh.operations).toEqual(stored);
  }
}

const texts = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
const totalOf = (cluster: Cluster, what: keyof Instance['ordering']['counts']): number =>
  cluster.instances.reduce((sum, { ordering }) => sum + ordering.counts[what], 0);

describe('[DL2] [DL3] hints between instances', () => {
  test('with a feed that works, what is written here is heard there at once', async () => {
    const cluster = await startCluster({ size: 2, config: { auditIntervalMs: 60_000 } });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    const reader = await followerAt(cluster, 1, sessionId);
    await author.write(...texts('a', 20));
    await reader.reach(20);
    await reader.reachSaved(20);
    expect(reader.operations).toEqual(texts('a', 20));
    expect(totalOf(cluster, 'told')).toBeGreaterThan(20);
  });

  test('every hint lost: a quiet session still converges within two audits', async () => {
    const cluster = await startCluster({ size: 3, fates: { dropped: 1 } });
    const sessionId = await newSession(cluster);
    const readers = [await followerAt(cluster, 1, sessionId), await followerAt(cluster, 2, sessionId)];
    const author = await authorAt(cluster, 0, sessionId);
    for (let written = 1; written <= 3; written += 1) {
      await author.write(`quiet-${written}`);
      const since = performance.now();
      for (const reader of readers) await reader.reach(written);
      expect(performance.now() - since).toBeLessThan(TWO_AUDITS_MS);
    }
    for (const reader of readers) await reader.reachSaved(3);
    expect(totalOf(cluster, 'dropped')).toBeGreaterThan(6);
    expect(totalOf(cluster, 'told')).toBe(0);
    expect((await at(cluster, 1).server.stats()).operations.gapsRepaired).toBe(3);
  });

  test.each([11, 12, 13])(
    'lost, doubled and out of order, seed %i: everyone hears everything once, in one order',
    async (seed) => {
      const cluster = await startCluster({ size: 3, seed, fates: { dropped: 0.2, doubled: 0.2, reordered: 0.3 } });
      const sessionId = await newSession(cluster);
      const readers = await Promise.all([0, 1, 2].map((index) => followerAt(cluster, index, sessionId)));
      const authors = await Promise.all([0, 1, 2].map((index) => authorAt(cluster, index, sessionId)));
      const perAuthor = 70;
      await Promise.all(authors.map((author, index) => author.write(...texts(`author-${index}`, perAuthor))));
      for (const reader of readers) await reader.reach(3 * perAuthor);
      await expectOneHistory(cluster, sessionId, authors);
      const stored = await storedOperations(cluster, sessionId);
      for (const reader of readers) {
        expect(reader.faults).toEqual([]);
        expect(reader.operations).toEqual(stored);
      }
      for (const fate of ['dropped', 'doubled', 'reordered'] as const)
        expect(totalOf(cluster, fate)).toBeGreaterThan(20);
      let repaired = 0;
      for (const { server } of cluster.instances) {
        const { operations } = await server.stats();
        repaired += operations.gapsRepaired;
        expect(operations.forks).toBe(0);
      }
      expect(repaired).toBeGreaterThan(0);
    },
  );

  test('[SV3] saved reaches the clients of every instance, also when every hint is lost', async () => {
    const cluster = await startCluster({ size: 2, fates: { dropped: 1 } });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    const reader = await followerAt(cluster, 1, sessionId);
    await author.write('x');
    await reader.reachSaved(1);
    expect(reader.faults).toEqual([]);
  });
});

describe('[CL2] moving between instances', () => {
  test('a client that has heard more than the new instance is not sent back', async () => {
    const cluster = await startCluster({ size: 2, config: { auditIntervalMs: 60_000 } });
    const sessionId = await newSession(cluster);
    await followerAt(cluster, 1, sessionId);
    // From now on the second instance hears nothing.
    at(cluster, 1).ordering.fates = { dropped: 1 };
    const author = await authorAt(cluster, 0, sessionId);
    const before = await followerAt(cluster, 0, sessionId);
    await author.write(...texts('a', 10));
    await before.reach(10);
    before.client.close();
    const client = await at(cluster, 1).server.connect({ user: 'reader-0' });
    const have = { epoch: 0, head: before.head, saved: { seq: 0, tag: '' } };
    const after = await Follower.join(client, sessionId, { client: before.credentials, have, known: before.entries });
    expect(after.reply).toMatchObject({ resume: 'continue', entries: [], head: before.head });
    expect(at(cluster, 1).ordering.counts.dropped).toBeGreaterThan(0);
  });

  test('[EO2] an author that moves while the answer is lost writes everything once', async () => {
    const cluster = await startCluster({ size: 2 });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    await author.write(...texts('a', 3));
    const { ordering } = at(cluster, 0);
    ordering.appends = 'lose-the-answer';
    const stuck = author.write('a-4');
    await eventually('an answer was lost', () => ordering.counts.appendsFailed > 2);
    ordering.appends = 'work';
    await stuck;
    await author.moveTo(await at(cluster, 1).server.connect({ user: 'author-0' }));
    await author.write('a-5');
    expect(author.refusals).toContain('BACKEND_UNAVAILABLE');
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('an append that was not done is refused with wait, and works when the order is back', async () => {
    const cluster = await startCluster({ size: 1 });
    const sessionId = await newSession(cluster);
    const client = await at(cluster, 0).server.connect({ user: 'ada' });
    await client.demand('session:join', { sessionId });
    at(cluster, 0).ordering.appends = 'fail';
    expect(await client.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      action: 'wait',
      retryAfterMs: expect.any(Number),
    });
    at(cluster, 0).ordering.appends = 'work';
    expect(await client.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
      seq: 1,
    });
  });

  test('while the log cannot be read nobody is misled; afterwards everyone catches up', async () => {
    const cluster = await startCluster({ size: 2, fates: { dropped: 1 } });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    const reader = await followerAt(cluster, 1, sessionId);
    const { ordering } = at(cluster, 1);
    ordering.reads = 'fail';
    await author.write(...texts('a', 5));
    await eventually('audits have failed', () => ordering.counts.readsFailed >= 3);
    expect(reader.head.seq).toBe(0);
    ordering.reads = 'work';
    await reader.reach(5);
    expect(reader.faults).toEqual([]);
    await expectOneHistory(cluster, sessionId, [author]);
  });
});

describe('[ST4] [DL4] when the hot log is lost', () => {
  test('with everything saved nobody notices but for the epoch', async () => {
    const { cluster, sessionId, author, readers } = await startTwoWithReaders();
    await author.write(...texts('a', 5));
    for (const reader of readers) await reader.reachSaved(5);
    const epoch = readers[0]?.epoch ?? 0;
    cluster.loseHotLog();
    const since = performance.now();
    await author.write('a-6');
    for (const reader of readers) await reader.reachSaved(6);
    expect(performance.now() - since).toBeLessThan(TWO_AUDITS_MS);
    for (const reader of readers) {
      expect(reader.faults).toEqual([]);
      expect(reader.epoch).toBeGreaterThan(epoch);
      expect(reader.client.all('session:forked')).toEqual([]);
    }
    expect(totalOf(cluster, 'logsVanished')).toBe(2);
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('what was ordered but not saved is saved from the tail: clients continue', async () => {
    const { cluster, sessionId, author, readers } = await startTwoWithReaders();
    await author.write(...texts('a', 5));
    for (const reader of readers) await reader.reachSaved(5);
    cluster.store.isFull = true;
    await author.write(...texts('unsaved', 5));
    for (const reader of readers) await reader.reach(10);
    cluster.loseHotLog();
    const refusedBefore = cluster.store.counts.savesRefused;
    await eventually('saving and rescuing were tried', () => cluster.store.counts.savesRefused > refusedBefore + 1);
    const client = await at(cluster, 0).server.connect({ user: 'late' });
    await eventually('nothing is accepted meanwhile', async () => {
      expect((await client.ask('session:join', { sessionId })).status).toBe('error');
    });
    cluster.store.isFull = false;
    for (const reader of readers) await reader.reachSaved(10);
    await author.write('a-11');
    for (const reader of readers) {
      await reader.reach(11);
      expect(reader.faults).toEqual([]);
      expect(reader.client.all('session:forked')).toEqual([]);
    }
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('what only a lost instance had is rolled back: its clients fork, and write it again', async () => {
    const cluster = await startCluster({ size: 2, fates: { dropped: 1 } });
    const sessionId = await newSession(cluster);
    const [near, far] = [at(cluster, 0), at(cluster, 1)];
    const author = await authorAt(cluster, 0, sessionId);
    const [here, there] = [await followerAt(cluster, 0, sessionId), await followerAt(cluster, 1, sessionId)];
    await author.write(...texts('a', 5));
    for (const reader of [here, there]) await reader.reachSaved(5);
    // Only the first instance has these; the store refuses them, and the first instance cannot look at the log.
    far.ordering.reads = 'fail';
    cluster.store.isFull = true;
    await author.write(...texts('unsaved', 4));
    await here.reach(9);
    near.ordering.reads = 'fail';
    cluster.loseHotLog();
    const { epoch } = (await cluster.store.operationLog.head(sessionId)) ?? { epoch: 0 };
    // The second instance opens a new epoch first. The store takes nothing of the first one after that.
    far.ordering.reads = 'work';
    await eventually('the second instance has opened a new epoch', async () => {
      expect((await cluster.store.operationLog.head(sessionId))?.epoch).toBeGreaterThan(epoch);
    });
    cluster.store.isFull = false;
    near.ordering.reads = 'work';
    const forked = await here.client.next('session:forked');
    expect(forked).toMatchObject({ sessionId, head: here.markAt(5) });
    const have = { epoch: 0, head: here.head, saved: here.markAt(5) };
    const back = await Follower.join(here.client, sessionId, {
      client: here.credentials,
      have,
      known: here.entries,
      isAgain: true,
    });
    expect(back.reply.resume).toEqual({ fork: { base: here.markAt(5) } });
    await author.confirm();
    for (const reader of [back, there]) {
      await reader.reach(9);
      expect(reader.operations).toEqual([...texts('a', 5), ...texts('unsaved', 4)]);
    }
    expect(there.faults).toEqual([]);
    expect(there.client.all('session:forked')).toEqual([]);
    expect((await near.server.stats()).operations.forks).toBe(1);
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('nobody is told that something is void in the epoch it was ordered in: the client knows more than a hot log that fell back', async () => {
    const cluster = await startCluster({ size: 2 });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    const here = await followerAt(cluster, 0, sessionId);
    await author.write(...texts('a', 3));
    await here.reachSaved(3);
    cluster.store.isFull = true;
    const copy = await cluster.copyOfHotLog(sessionId);
    await author.write('doubtful');
    await here.reach(4);
    const epoch = here.epoch;
    // The first instance hears and sees nothing of it; only the client that goes to the second one can tell.
    at(cluster, 0).ordering.reads = 'fail';
    cluster.fallBackTo(copy);
    const moved = await at(cluster, 1).server.connect({ user: 'reader-0' });
    const have = { epoch, head: here.head, saved: here.markAt(3) };
    const first = await moved.ask('session:join', { sessionId, have });
    expect(first).toMatchObject({ status: 'error', error: { code: 'NOT_DELIVERED', action: 'resend' } });
    await eventually('a newer epoch is open', async () => {
      expect((await cluster.store.operationLog.head(sessionId))?.epoch).toBeGreaterThan(epoch);
    });
    const back = await Follower.join(moved, sessionId, { have, known: here.entries });
    expect(back.reply.resume).toEqual({ fork: { base: here.markAt(3) } });
    // What was declared void stays void: its author has to send it again.
    cluster.store.isFull = false;
    at(cluster, 0).ordering.reads = 'work';
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('one that fell back behind the store is overruled: nobody is sent back', async () => {
    const { cluster, sessionId, author, readers } = await startTwoWithReaders();
    cluster.store.isFull = true;
    await author.write(...texts('a', 6));
    const copy = await cluster.copyOfHotLog(sessionId);
    cluster.store.isFull = false;
    await author.write(...texts('b', 4));
    for (const reader of readers) await reader.reachSaved(10);
    const { epoch } = (await cluster.store.operationLog.head(sessionId)) ?? { epoch: 0 };
    cluster.fallBackTo(copy);
    await eventually('a new epoch is open', async () => {
      expect((await cluster.store.operationLog.head(sessionId))?.epoch).toBeGreaterThan(epoch);
    });
    await author.write('c');
    for (const reader of readers) {
      await reader.reachSaved(11);
      expect(reader.faults).toEqual([]);
      expect(reader.client.all('session:forked')).toEqual([]);
    }
    expect(totalOf(cluster, 'logsFellBack')).toBe(2);
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('one that fell back, but not behind the store: what was rolled back is written again, once', async () => {
    const { cluster, sessionId, author, readers } = await startTwoWithReaders();
    cluster.store.isFull = true;
    await author.write(...texts('a', 10));
    for (const reader of readers) await reader.reach(10);
    cluster.fallBackTo(await cluster.copyOfHotLog(sessionId, 6));
    cluster.store.isFull = false;
    await author.write('a-11');
    await expectOneHistory(cluster, sessionId, [author]);
    // An instance that looks before the author has sent the rest again has to send its readers back.
    const kept = readers.filter(({ client }) => client.all('session:forked').length === 0);
    expect(kept.flatMap(({ faults }) => faults)).toEqual([]);
    expect(totalOf(cluster, 'logsFellBack')).toBe(2);
  });

  test('one that fell back and went on with something else: both ends are written in the end, each once', async () => {
    const cluster = await startCluster({ size: 2 });
    const sessionId = await newSession(cluster);
    const authors = [await authorAt(cluster, 0, sessionId), await authorAt(cluster, 1, sessionId)];
    const reader = await followerAt(cluster, 0, sessionId);
    await authors[0]?.write(...texts('a', 4));
    await authors[1]?.write(...texts('b', 4));
    await reader.reachSaved(8);
    cluster.store.isFull = true;
    await authors[0]?.write(...texts('c', 4));
    await reader.reach(12);
    cluster.fallBackTo(await cluster.copyOfHotLog(sessionId, 10));
    const elsewhere = authors[1]?.write(...texts('d', 4));
    cluster.store.isFull = false;
    await elsewhere;
    await expectOneHistory(cluster, sessionId, authors);
    expect(totalOf(cluster, 'logsFellBack')).toBe(2);
  });

  test('at the very moment a session is opened: it is opened once, and whoever joins hears everything once', async () => {
    const cluster = await startCluster({ size: 2 });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    await author.write(...texts('a', 3));
    const { ordering, server } = at(cluster, 1);
    let isLost = false;
    ordering.onceFollowed = () => {
      isLost = true;
      cluster.loseHotLog();
    };
    const client = await server.connect({ user: 'late' });
    await eventually('it can be joined', async () => {
      expect((await client.ask('session:join', { sessionId })).status).toBe('ok');
    });
    expect(isLost).toBe(true);
    const reader = await followerAt(cluster, 1, sessionId);
    await author.write(...texts('b', 5));
    await reader.reach(8);
    expect(reader.faults).toEqual([]);
    expect((await server.stats()).sessions.open).toBe(1);
    await expectOneHistory(cluster, sessionId, [author]);
  });

  test('[EO11] a row read before and admitted after does not let an operation in twice', async () => {
    const cluster = await startCluster({ size: 1 });
    const sessionId = await newSession(cluster);
    const { server } = at(cluster, 0);
    const ada = await server.connect({ user: 'ada' });
    const first = await Follower.join(ada, sessionId);
    for (const clientSeq of [1, 2])
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: [`op-${clientSeq}`] });
    await first.reachSaved(2);
    let release: () => void = () => {};
    cluster.store.heldClientRows = new Promise((resolve) => {
      release = resolve;
    });
    // The row is read now, with two operations in it …
    const second = await server.connect({ user: 'ada' });
    const joining = second.ask('session:join', { sessionId, client: first.credentials });
    await second.fence();
    // … then a third is written and saved, and the hot log that knows of it is lost.
    await ada.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['op-3'] });
    await first.reachSaved(3);
    cluster.loseHotLog();
    const witness = await server.connect({ user: 'witness' });
    await eventually('the session is open again', async () => {
      expect((await cluster.hotLog.describe([sessionId]))[0]?.head.seq).toBe(3);
      expect((await witness.ask('session:join', { sessionId })).status).toBe('ok');
    });
    cluster.store.heldClientRows = undefined;
    release();
    // Either is right, as long as nobody goes on from what the old row says.
    const answer = await joining;
    expect(answer.status === 'ok' ? answer.client.lastClientSeq : answer.error.action).toBe('resend');
    const again = await second.demand('session:join', { sessionId, client: first.credentials });
    expect(again.client.lastClientSeq).toBe(3);
    expect(await second.demand('operation:submit', { sessionId, clientSeq: 3, operations: ['op-3'] })).toMatchObject({
      duplicate: true,
    });
    expect(await storedOperations(cluster, sessionId)).toEqual(['op-1', 'op-2', 'op-3']);
  });
});

describe('[ST5] two who do not share an order', () => {
  test('the one that opened later has the session; the other closes it and does not take it back', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const config = { auditIntervalMs: 20 };
    const [first, second] = [await startServer({ store, config }), await startServer({ store, config })];
    const ada = await first.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const before = await Follower.join(ada, sessionId);
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['saved'] });
    await before.reachSaved(1);

    const bob = await second.connect({ user: 'bob' });
    const after = await Follower.join(bob, sessionId);
    expect(after.operations).toEqual(['saved']);
    const { epoch } = after.reply.head;
    await ada.ask('operation:submit', { sessionId, clientSeq: 2, operations: ['too late'] });
    expect(await ada.next('session:closed')).toEqual({ sessionId, reason: 'moved' });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await ada.refusal('session:join', { sessionId })).toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
        action: 'wait',
      });
    }
    await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['mine'] });
    await after.reachSaved(2);
    expect(await store.operationLog.head(sessionId)).toMatchObject({ epoch, seq: 2 });

    // The client goes to the other one and brings what was not saved.
    const moved = await second.connect({ user: 'ada' });
    const have = { epoch: 0, head: before.markAt(2), saved: before.markAt(1) };
    const again = await Follower.join(moved, sessionId, { client: before.credentials, have, known: before.entries });
    expect(again.reply).toMatchObject({ resume: { fork: { base: before.markAt(1) } }, client: { lastClientSeq: 1 } });
    await moved.demand('operation:submit', { sessionId, clientSeq: 2, operations: ['too late'] });
    await after.reach(3);
    expect(after.operations).toEqual(['saved', 'mine', 'too late']);
    expect(await first.stop()).toEqual({ unsavedSessions: [] });
  });

  test('a draining instance that is fenced does not open the session again', async () => {
    const cluster = await startCluster({ size: 1, config: { stopDeadlineMs: 10_000 } });
    const sessionId = await newSession(cluster);
    const author = await authorAt(cluster, 0, sessionId);
    const reader = await followerAt(cluster, 0, sessionId);
    await author.write(...texts('a', 3));
    await reader.reachSaved(3);
    cluster.store.isFull = true;
    await author.write('a-4');
    const { server } = at(cluster, 0);
    const stopping = server.stop();
    await eventually('it is draining', async () => {
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(503);
    });
    // Another instance opens the session while this one still waits for the store.
    const { epoch } = (await cluster.store.operationLog.head(sessionId)) ?? { epoch: 0 };
    expect(await cluster.store.operationLog.openEpoch(sessionId, epoch, 0)).toMatchObject({ epoch: epoch + 1 });
    cluster.store.isFull = false;
    expect(await stopping).toEqual({ unsavedSessions: [] });
    expect(await reader.client.next('session:closed')).toEqual({ sessionId, reason: 'moved' });
    expect(await cluster.store.operationLog.head(sessionId)).toMatchObject({ epoch: epoch + 1, seq: 3 });
  });
});
