import * as Y from 'yjs';
import { fromBase64 } from '../../src/client/base64';
import { FlowClient } from '../../src/client/flow-client';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { demandYjsUpdate } from '../../src/lib/yjs-update';
import type { FlowError } from '../../src/protocol/errors';
import { eventually } from '../support/eventually';
import { emptyJoin, refusalOf, ScriptedServer } from './support/scripted-server';
import { QUICK_BACKOFF, untilSynced, useWorld } from './support/world';

const refusal = (code: string) => expect.objectContaining({ name: 'FlowError', code });

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = { in: value };
  return value;
}

function circle(): unknown {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}

const NEVER_TAKEN: ReadonlyArray<[string, unknown]> = [
  ['101 levels', nested(101)],
  ['a million levels', JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)],
  ['a key __proto__', JSON.parse('{"__proto__":{"polluted":true}}')],
  ['constructor.prototype', JSON.parse('[{"constructor":{"prototype":{"polluted":true}}}]')],
  ['a circle', circle()],
  ['a bigint', 1n],
  ['nothing', undefined],
];

describe('an operation the server never takes', () => {
  const world = useWorld();

  test.each(NEVER_TAKEN)('%s is refused before it is held', async (_what, operation) => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    expect(() => session.submit(['good', operation])).toThrow(refusal('BAD_REQUEST'));
    await expect(session.propose([operation], session.head)).rejects.toEqual(refusal('BAD_REQUEST'));
    expect(session.counts).toEqual({ unsent: 0, ordered: 0, saved: 0 });
    session.submit(['next']);
    await session.whenSaved();
    expect(await world().history(sessionId)).toEqual(['next']);
  });

  test('that an earlier life has left is alone refused, given back on demand, and does not come again', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const bad = nested(101);
    const empty = { version: 1 as const, client: null, after: { seq: 0, tag: '' }, batches: [] };
    await options.storage.save(`${sessionId}/0`, { ...empty, pending: ['a', 'b', bad, 'c', 'd'] });
    const client = world().client(options);
    const session = client.session(sessionId);
    await session.join();
    await eventually('refused', () => session.status.state === 'refused');
    await eventually('those before it are saved', () => session.counts.saved === 2);
    expect(session.status).toMatchObject({ reason: { code: 'BAD_REQUEST' }, isReading: true, unsent: 3 });
    expect(session.discardRefused()).toEqual([bad]);
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(['a', 'b', 'c', 'd']);
    client.close();

    const again = world().client(options).session(sessionId);
    await again.join();
    again.submit(['e']);
    await untilSynced(again);
    expect(await world().history(sessionId)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('a client of a scripted server', () => {
  let server: ScriptedServer;
  let client: FlowClient;

  beforeEach(async () => {
    server = await new ScriptedServer().start();
    client = new FlowClient({ url: server.url, backoff: QUICK_BACKOFF, requestDeadlineMs: 2_000 });
  });
  afterEach(async () => {
    client.close();
    await server.stop();
  });

  test('that may not write gets back everything it holds', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('operation:submit', () => refusalOf('FORBIDDEN'));
    const session = client.session('s');
    await session.join();
    const receipt = session.submit(['a', 'b']);
    await eventually('refused', () => session.status.state === 'refused');
    session.submit(['c']);
    const lost = receipt.whenSaved();
    lost.catch(() => {});
    expect(session.discardRefused()).toEqual(['a', 'b', 'c']);
    await expect(lost).rejects.toEqual(refusal('FORBIDDEN'));
    await untilSynced(session);
    expect(session.heldBytes).toBe(0);
  });

  test('that is not let in gets back everything it holds', async () => {
    server.on('session:join', () => refusalOf('SESSION_NOT_FOUND'));
    const session = client.session('s');
    session.submit(['a']);
    await expect(session.join()).rejects.toEqual(refusal('SESSION_NOT_FOUND'));
    expect(session.discardRefused()).toEqual(['a']);
    expect(session.counts.unsent).toBe(0);
  });

  test('[EO12] whose Yjs document takes too long to be tried sends it in smaller parts, until nothing needs to be tried', async () => {
    let head = { seq: 0, tag: '' };
    let lastSeq = 0;
    let refused = 0;
    const reader = new Y.Doc();
    server.on('session:join', () => {
      const position = { ...head, epoch: 1 };
      const clientOf = { clientId: 'client-1', signature: 'signed', lastClientSeq: lastSeq };
      const changes = { resume: head.seq > 0 ? 'continue' : 'start', head: position, saved: position, next: head };
      return emptyJoin('s', { ...changes, client: clientOf });
    });
    server.on('operation:submit', (request, socket) => {
      const { clientSeq, operations } = request as { clientSeq: number; operations: string[] };
      if (clientSeq !== lastSeq + 1) return refusalOf('CLIENT_SEQ_GAP', { expected: lastSeq + 1 });
      const updates = operations.map((operation) => fromBase64(operation));
      const parts = updates.reduce((sum, update) => sum + demandYjsUpdate(update, 'It'), 0);
      if (parts > 512) {
        refused += 1;
        return refusalOf('BAD_REQUEST', { message: 'Applying the operations takes longer than 3000 ms.' });
      }
      for (const update of updates) Y.applyUpdate(reader, update);
      lastSeq += operations.length;
      const [before, seq] = [head, head.seq + operations.length];
      head = { seq, tag: `tag ${seq}` };
      const entry = { epoch: 1, seq, clientId: 'client-1', clientSeq: lastSeq, userId: 'u', at: 0, operations };
      const batch = { sessionId: 's', epoch: 1, prevSeq: before.seq, prevTag: before.tag, tag: head.tag, saved: seq };
      socket.emit('operation:batch', { ...batch, entries: [entry] });
      return null;
    });
    const provider = new FlowYjsProvider(client, 's', new Y.Doc());
    await eventually('synced', () => provider.synced);
    const refusals: FlowError[] = [];
    provider.on('refused', (error) => refusals.push(error));
    const text = provider.doc.getText('content');
    provider.doc.transact(() => {
      for (let index = 0; index < 3_000; index += 1) text.insert((index * 7_919) % (text.length + 1), 'xyz');
    });
    await eventually('the first part is refused', () => refused > 0);
    text.insert(0, 'and on');
    await eventually('everything arrives', () => expect(provider.unsaved).toBe(0));
    expect(reader.getText('content').toJSON()).toBe(text.toJSON());
    expect(refusals).toEqual([]);
    provider.destroy();
  });

  test('that was asked to wait forgets it when the connection is lost: the next one says itself how long', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('operation:submit', () => refusalOf('BUSY', { retryAfterMs: 300 }));
    const session = client.session('s');
    await session.join();
    session.submit(['x']);
    await eventually('asked to wait', () => server.named('operation:submit').length === 1);
    server.on('operation:submit', () => refusalOf('BUSY', { retryAfterMs: 1_000 }));
    server.dropAll();
    await eventually('asked to wait longer', () => server.named('operation:submit').length === 2);
    await eventually('sent again', () => server.named('operation:submit').length === 3);
    const [, second, third] = server.named('operation:submit').map(({ atMs }) => atMs);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(990);
  });
});
