import { Server } from 'node:net';
import { loadConfig } from '../../config/load-config';
import { createApp } from '../../src/app';
import { silentLogger } from '../../src/lib/logger';
import { eventually } from '../support/eventually';
import { RawSocket } from '../support/raw-socket';
import { createSession, yjsText, yjsUpdates } from '../support/documents';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { useServers } from '../support/server';
import type { WireClient } from '../support/wire-client';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { GENESIS } from '../../src/protocol/positions';

const startServer = useServers();
const realListen = Server.prototype.listen;
/** Long enough to save what can be saved, short enough for a store that takes nothing. */
const config = { stopDeadlineMs: 300 };

async function submit(client: WireClient, sessionId: string, ...numbered: number[]): Promise<void> {
  for (const clientSeq of numbered)
    await client.demand('operation:submit', { sessionId, clientSeq, operations: [`op-${clientSeq}`] });
}

/** A server on which Ada has written three operations. */
async function startWithThree() {
  const store = new FaultyStore(new MemoryDocumentStore());
  const first = await startServer({ store, config });
  const ada = await first.connect({ user: 'ada' });
  const sessionId = await createSession(ada);
  const writer = await Follower.join(ada, sessionId);
  await submit(ada, sessionId, 1, 2, 3);
  return { store, first, ada, sessionId, writer };
}

/** A server that was stopped with three operations saved and three that only its clients have. */
async function afterUnsavedLoss() {
  const { store, first, ada, sessionId, writer } = await startWithThree();
  await writer.reachSaved(3);
  store.isFull = true;
  await submit(ada, sessionId, 4, 5, 6);
  await writer.reach(6);
  const report = await first.stop();
  expect(report).toEqual({ unsavedSessions: [sessionId] });
  expect(store.counts.savesRefused).toBeGreaterThan(0);
  store.isFull = false;
  return { store, sessionId, writer, server: await startServer({ store, config }) };
}

describe('[CL2] after a restart', () => {
  test('with everything saved: continue, where the client left off, under a newer epoch', async () => {
    const { store, first, sessionId, writer } = await startWithThree();
    await writer.reach(3);
    expect(await first.stop()).toEqual({ unsavedSessions: [] });
    const second = await startServer({ store, config });
    const back = await second.connect({ user: 'ada' });
    const have = { epoch: 0, head: writer.head, saved: GENESIS };
    const again = await Follower.join(back, sessionId, { client: writer.credentials, have, known: writer.entries });
    expect(again.reply).toMatchObject({
      resume: 'continue',
      entries: [],
      client: { lastClientSeq: 3 },
      saved: { seq: 3 },
    });
    expect(again.reply.head.epoch).toBeGreaterThan(writer.epoch);
    await submit(back, sessionId, 4);
    await again.reachSaved(4);
    expect(again.operations).toEqual(['op-1', 'op-2', 'op-3', 'op-4']);
  });

  test('with the end unsaved: fork at the last saved position; what the client still holds is ordered anew, once', async () => {
    const { server, sessionId, writer, store } = await afterUnsavedLoss();
    const other = await Follower.join(await server.connect({ user: 'bob' }), sessionId);
    expect(other.operations).toEqual(['op-1', 'op-2', 'op-3']);
    await submit(other.client, sessionId, 1);

    const back = await server.connect({ user: 'ada' });
    const have = { epoch: 0, head: writer.head, saved: writer.markAt(3) };
    const again = await Follower.join(back, sessionId, { client: writer.credentials, have, known: writer.entries });
    expect(again.reply.resume).toEqual({ fork: { base: writer.markAt(3) } });
    expect(again.reply.client.lastClientSeq).toBe(3);
    await submit(back, sessionId, 4, 5, 6);
    expect(await back.demand('operation:submit', { sessionId, clientSeq: 6, operations: ['op-6'] })).toMatchObject({
      duplicate: true,
    });
    await again.reachSaved(7);
    await other.reach(7);
    expect(again.faults).toEqual([]);
    expect(again.operations).toEqual(other.operations);
    expect(again.operations).toEqual(['op-1', 'op-2', 'op-3', 'op-1', 'op-4', 'op-5', 'op-6']);
    expect(
      (await store.operationLog.readAfter(sessionId, 0, 1_000_000)).flatMap(
        ({ operations }) => JSON.parse(operations) as string[],
      ),
    ).toEqual(again.operations);
  });

  test('with a saved position that is newer than the unsaved end: continue from it is not offered, fork is', async () => {
    const { server, sessionId, writer } = await afterUnsavedLoss();
    const back = await server.connect({ user: 'ada' });
    const have = { epoch: 0, head: writer.head, saved: writer.markAt(2) };
    const reply = await back.demand('session:join', { sessionId, have });
    expect(reply.resume).toEqual({ fork: { base: writer.markAt(2) } });
    expect(reply.entries.map(({ operations }) => operations)).toEqual([['op-3']]);
  });

  test('with nothing in common: start from the beginning', async () => {
    const { server, sessionId, writer } = await afterUnsavedLoss();
    const back = await server.connect({ user: 'ada' });
    const foreign = { seq: 2, tag: '0123456789abcdef' };
    const again = await Follower.join(back, sessionId, {
      have: { epoch: 0, head: writer.head, saved: foreign },
      known: writer.entries,
    });
    expect(again.reply.resume).toBe('start');
    expect(again.operations).toEqual(['op-1', 'op-2', 'op-3']);
  });

  test('a client of another store starts anew, and is not taken for the one it was', async () => {
    const { sessionId, writer } = await afterUnsavedLoss();
    const elsewhere = await startServer({ config });
    const ada = await elsewhere.connect({ user: 'ada' });
    await ada.demand('session:create', { sessionId, format: 'json' });
    const have = { epoch: 0, head: writer.head, saved: writer.markAt(3) };
    const again = await Follower.join(ada, sessionId, { client: writer.credentials, have, known: writer.entries });
    // The secret is the same, so the client id is good; what it did is not known here.
    expect(again.reply).toMatchObject({ resume: 'start', client: { lastClientSeq: 0 }, entries: [] });
    expect(again.operations).toEqual([]);
  });

  test('a Yjs document is whole again', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const first = await startServer({ store, config: { ...config, snapshotEntries: 10 } });
    const ada = await first.connect({ user: 'ada' });
    const sessionId = await createSession(ada, 'yjs');
    const writer = await Follower.join(ada, sessionId);
    const updates = yjsUpdates(...Array.from({ length: 25 }, (_, index) => `${index},`));
    for (const [index, update] of updates.entries()) {
      await ada.demand('operation:submit', { sessionId, clientSeq: index + 1, operations: [update] });
    }
    await writer.reachSaved(25);
    await first.stop();
    const second = await startServer({ store, config });
    const reply = await (await second.connect({ user: 'bob' })).demand('session:join', { sessionId });
    const snapshot = reply.snapshot ? [reply.snapshot.payload as string] : [];
    const rest = reply.entries.flatMap(({ operations }) => operations as string[]);
    expect(yjsText([...snapshot, ...rest])).toBe(yjsText(updates));
  });
});

describe('[ST8] stopping', () => {
  test('server:draining: clients are told when to come back, what is ordered is saved, nothing new is accepted', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const server = await startServer({ store, config: { stopDeadlineMs: 10_000 } });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const followers = [await Follower.join(ada, sessionId), await Follower.join(bob, sessionId)];
    store.isFull = true;
    await submit(ada, sessionId, 1, 2, 3);
    const stopped = server.stop();
    for (const client of [ada, bob]) {
      const { reconnectAfterMs } = await client.next('server:draining');
      expect(reconnectAfterMs).toBeGreaterThanOrEqual(200);
      expect(reconnectAfterMs).toBeLessThanOrEqual(2_000);
    }
    const refused = { code: 'DRAINING', action: 'wait', retryAfterMs: expect.any(Number) };
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 4, operations: ['too late'] })).toMatchObject(
      refused,
    );
    expect(await bob.refusal('session:join', { sessionId })).toMatchObject(refused);
    expect(await bob.refusal('session:join', { sessionId: 'nobody' })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(503);
    await expect(server.connect({ user: 'newcomer' })).rejects.toThrow();
    store.isFull = false;
    expect(await stopped).toEqual({ unsavedSessions: [] });
    for (const client of [ada, bob]) await client.gone();
    for (const follower of followers) expect([follower.head.seq, follower.saved, follower.faults]).toEqual([3, 3, []]);
    expect(await store.operationLog.head(sessionId)).toMatchObject({ seq: 3 });
  });

  test('with a store that takes nothing it ends in time and names what is unsaved', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    const server = await startServer({ store, config: { stopDeadlineMs: 500 } });
    const ada = await server.connect({ user: 'ada' });
    const [saved, unsaved] = [await createSession(ada), await createSession(ada)];
    const writer = await Follower.join(ada, saved);
    await submit(ada, saved, 1);
    await writer.reachSaved(1);
    store.isFull = true;
    await ada.demand('session:join', { sessionId: unsaved });
    await submit(ada, unsaved, 1);
    const since = performance.now();
    expect(await server.stop()).toEqual({ unsavedSessions: [unsaved] });
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  test('stopping twice is stopping once', async () => {
    const server = await startServer({ config });
    const reports = await Promise.all([server.app.stop(), server.app.stop()]);
    expect(reports).toEqual([{ unsavedSessions: [] }, { unsavedSessions: [] }]);
  });

  test('a client that has stopped reading does not hold up the stop, nor stays connected', async () => {
    const server = await startServer({ config });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    const { socket: deaf } = await RawSocket.connect(server.url);
    deaf.send(`420${JSON.stringify(['session:join', { sessionId }])}`);
    await deaf.hears((text) => text.startsWith('430'));
    deaf.pause();
    await submit(ada, sessionId, 1);
    const since = performance.now();
    await server.stop();
    expect(performance.now() - since).toBeLessThan(3_000);
    await eventually('the connection is gone', () => deaf.isAbandoned(), 3_000);
  });

  test.each(['at once', 'when it begins to listen'])(
    'a server that is stopped while it starts, %s, does not go on listening',
    async (when) => {
      const app = createApp(
        { ...loadConfig({}), ...config, host: '127.0.0.1', port: 0, documentStore: 'memory' },
        { log: silentLogger },
      );
      const httpServers: Server[] = [];
      const listens = jest.spyOn(Server.prototype, 'listen').mockImplementation(function (
        this: Server,
        ...args: unknown[]
      ) {
        httpServers.push(this);
        void app.stop();
        return Reflect.apply(realListen, this, args) as Server;
      });
      const started = app.start();
      const outcome = started.catch((fault: unknown) => fault);
      if (when === 'at once') await app.stop();
      expect(await outcome).toMatchObject({ message: 'stopped while starting' });
      await app.stop();
      expect(httpServers).toHaveLength(1);
      await eventually('nothing listens', () => httpServers.every(({ listening }) => !listening));
      listens.mockRestore();
    },
  );
});
