import * as Y from 'yjs';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import type { FlowError } from '../../src/protocol/errors';
import { eventually } from '../support/eventually';
import { untilSynced, useWorld } from './support/world';

/** Of a server that was set up to take little. */
const LITTLE = { maxOperationBytes: 1_000, maxBatchOperations: 8, maxBatchBytes: 2_000 };
const refusal = (code: string) => expect.objectContaining({ name: 'FlowError', code });

describe('[EO10] a server that takes little', () => {
  const world = useWorld(LITTLE);

  test('tells how little, and gets what it takes', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    expect(session.limits).toEqual({ operationBytes: 1_000, batchOperations: 8, batchBytes: 2_000 });
    const operations = Array.from({ length: 50 }, (_, index) => `${index} ${'x'.repeat(index * 19)}`);
    session.submit(operations);
    await session.whenSaved();
    expect(await world().history(sessionId)).toEqual(operations);
  });

  test('refuses nothing that the library has let through: what is too large throws', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    expect(() => session.submit(['x'.repeat(999)])).toThrow(refusal('TOO_LARGE'));
    await expect(session.propose([1, 2, 3, 4, 5, 6, 7, 8, 9], session.head)).rejects.toEqual(refusal('TOO_LARGE'));
    const half = 'x'.repeat(700);
    await expect(session.propose([half, half, half], session.head)).rejects.toEqual(refusal('TOO_LARGE'));
    session.submit(['x'.repeat(998)]);
    await session.whenSaved();
    expect(session.counts).toEqual({ unsent: 0, ordered: 0, saved: 1 });
  });

  test('a large text of a Yjs document goes in many operations', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = new FlowYjsProvider(world().client(), sessionId, new Y.Doc());
    await eventually('synced', () => provider.synced);
    provider.doc.getText('content').insert(0, 'some text '.repeat(2_000));
    await provider.whenSaved();
    expect(provider.unsaved).toBe(0);
    provider.destroy();
  });

  test('also what was written before the server had told', async () => {
    const { sessionId } = await world().createSession('yjs');
    const doc = new Y.Doc();
    doc.getText('content').insert(0, 'before it was open '.repeat(2_000));
    const refusals: FlowError[] = [];
    const provider = new FlowYjsProvider(world().client(), sessionId, doc, { connect: false });
    provider.on('refused', (error) => refusals.push(error));
    doc.getText('content').insert(0, 'before it was connected '.repeat(2_000));
    await Promise.resolve();
    expect(provider.session.counts.unsent).toBe(1);
    provider.connect();
    await eventually('saved', () => {
      expect([provider.synced, provider.unsaved, provider.session.status]).toEqual([true, 0, { state: 'synced' }]);
    });
    const reader = new FlowYjsProvider(world().client(), sessionId, new Y.Doc());
    await eventually('read', () => reader.doc.getText('content').length === doc.getText('content').length);
    expect(refusals).toEqual([]);
    provider.destroy();
    reader.destroy();
  });

  test('a snapshot that is too large is refused here, and the connection stays', async () => {
    const { sessionId } = await world().createSession('json');
    const client = world().client();
    const session = client.session(sessionId);
    const states: string[] = [];
    await session.join();
    client.on('status', ({ state }) => states.push(state));
    await session.submit([1]).whenSaved();
    await expect(session.offerSnapshot(session.head, 'x'.repeat(100_000))).rejects.toEqual(refusal('TOO_LARGE'));
    await session.offerSnapshot(session.head, 'x'.repeat(1_998));
    expect(states).toEqual([]);
  });
});

describe('[EO10] a server that takes less than the one before', () => {
  const world = useWorld();

  test('gets the batches of an earlier life of the page in parts', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const before = world().client(options);
    const session = before.session(sessionId);
    await session.join();
    const operations = Array.from({ length: 60 }, (_, index) => `${index} ${'x'.repeat(400)}`);
    session.submit(operations);
    // In its turn it is sealed, and lost with the connection.
    await Promise.resolve();
    world().disconnect();
    await eventually('stored', () => options.storage.keys.length === 1);
    before.close();

    await world().startServer(LITTLE);
    const again = world().client(options).session(sessionId);
    await again.join();
    await untilSynced(again);
    expect(await world().history(sessionId)).toEqual(operations);
  });

  test('an operation of an earlier life that it never takes holds up nothing else once it is discarded', async () => {
    const { sessionId } = await world().createSession('json');
    const session = world().client().session(sessionId);
    const [good, tooLarge, next] = [
      session.submit(['good']),
      session.submit(['x'.repeat(500_000)]),
      session.submit([1]),
    ];
    await world().restart();
    await world().startServer(LITTLE);
    await session.join();
    await eventually('refused', () => session.status.state === 'refused');
    expect(session.status).toMatchObject({ reason: { code: 'TOO_LARGE' }, isReading: true });
    await good.whenSaved();
    expect(session.discardRefused()).toEqual(['x'.repeat(500_000)]);
    await next.whenSaved();
    await expect(tooLarge.whenSaved()).rejects.toEqual(refusal('TOO_LARGE'));
    expect(await world().history(sessionId)).toEqual(['good', 1]);
    expect(session.discardRefused()).toEqual([]);
  });
});
