import { FlowError } from '../../src/protocol/errors';
import type { FlowSession } from '../../src/client/session';
import { eventually } from '../support/eventually';
import { Follower, sorted, untilSynced, useWorld } from './support/world';

const world = useWorld();

async function until(session: FlowSession, state: string): Promise<void> {
  await eventually(`${state}, but is ${JSON.stringify(session.status)}`, () => session.status.state === state);
}

describe('a session', () => {
  test('[DL1] delivers what was there before and what comes later, own operations marked as own', async () => {
    const { sessionId } = await world().createSession('json');
    const early = await world().joined(sessionId);
    early.submit(['a', 'b']);
    await untilSynced(early);

    const late = world().client().session(sessionId);
    const seen: unknown[] = [];
    late.on('entries', ({ entries }) => {
      for (const { operations, origin, seq } of entries) seen.push([operations, origin, seq]);
    });
    await late.join();
    late.submit(['c']);
    await untilSynced(late);
    early.submit(['d']);
    await eventually('the last operation', () => seen.length === 3);
    expect(seen).toEqual([
      [['a', 'b'], 'remote', 2],
      [['c'], 'own', 3],
      [['d'], 'remote', 4],
    ]);
    expect(late.head.seq).toBe(4);
  });

  test('[CL1] an operation is unsent, then ordered, then saved, and the status says so', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    world().holdSaves();
    const receipt = session.submit([1, 2, 3]);
    expect(session.status).toEqual({ state: 'saving', unsent: 3, ordered: 0, saved: 0 });
    expect(await receipt.whenOrdered()).toEqual({ epoch: 1, seq: 3 });
    expect(session.status).toEqual({ state: 'saving', unsent: 0, ordered: 3, saved: 0 });
    expect(session.heldOperations()).toEqual([1, 2, 3].map((operation) => ({ operation, state: 'ordered' })));
    world().letSave();
    expect(await receipt.whenSaved()).toEqual({ epoch: 1, seq: 3 });
    await session.whenSaved();
    expect(session.status).toEqual({ state: 'synced' });
    expect(session.counts).toEqual({ unsent: 0, ordered: 0, saved: 3 });
    expect(session.heldBytes).toBe(0);
  });

  test('what is submitted in one turn is one batch, and what is submitted before joining is kept', async () => {
    const { sessionId } = await world().createSession('json');
    const session = world().client().session(sessionId);
    session.submit(['early']);
    const sizes: number[] = [];
    session.on('entries', ({ entries }) => sizes.push(...entries.map(({ operations }) => operations.length)));
    await session.join();
    await untilSynced(session);
    session.submit(['x']);
    session.submit(['y', 'z']);
    await untilSynced(session);
    expect(sizes).toEqual([1, 3]);
  });

  test('[CL4] 2,500 operations made while there is no connection arrive in order, each once', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    const reader = new Follower(await world().joined(sessionId));
    world().disconnect();
    await until(session, 'offline');
    const operations = Array.from({ length: 2_500 }, (_, index) => ({ index }));
    for (const operation of operations) session.submit([operation]);
    expect(session.status).toMatchObject({ state: 'offline', unsent: 2_500 });
    world().reconnect();
    await untilSynced(session);
    await eventually('everything at the reader', () => reader.operations.length === 2_500);
    expect(reader.operations).toEqual(operations);
    expect(await world().history(sessionId)).toEqual(operations);
  });

  test('[CL2] operations whose server died before saving them are sent again, each exactly once', async () => {
    const { sessionId } = await world().createSession('json');
    const writers = [await world().joined(sessionId), await world().joined(sessionId)];
    const readers = writers.map((session) => new Follower(session));
    writers[0]?.submit(['saved']);
    await Promise.all(writers.map(untilSynced));
    world().holdSaves();
    const receipts = writers.map((session, index) => session.submit([`a${index}`, `b${index}`]));
    await Promise.all(receipts.map((receipt) => receipt.whenOrdered()));
    await world().kill();
    await Promise.all(receipts.map((receipt) => receipt.whenSaved()));
    await Promise.all(writers.map(untilSynced));
    const history = await world().history(sessionId);
    expect(sorted(history)).toEqual(['a0', 'a1', 'b0', 'b1', 'saved']);
    for (const { operations, events } of readers) {
      expect(operations).toEqual(history);
      expect(events).toEqual(['fork']);
    }
  });

  test('[CL2] after a restored backup a client begins anew, and what it holds goes in once under its old id', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    const follower = new Follower(session);
    session.submit(['saved, and lost with the disk']);
    await untilSynced(session);
    const { clientId } = session;
    world().holdSaves();
    await session.submit(['held']).whenOrdered();
    await world().restoreEmptyBackup(sessionId);
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(['held']);
    expect(follower.operations).toEqual(['held']);
    expect(follower.events).toEqual(['reset']);
    expect(session.clientId).toBe(clientId);
  });

  test('[CL2] when ids are signed with another secret, a client goes on under a new id', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    session.submit(['one']);
    await untilSynced(session);
    const { clientId } = session;
    world().disconnect();
    session.submit(['two']);
    await world().startServer({ flowSecret: 'quite another secret' });
    await untilSynced(session);
    expect(session.clientId).not.toBe(clientId);
    expect(await world().history(sessionId)).toEqual(['one', 'two']);
  });

  test('[CL3] a session that does not exist is refused once, and the reason is told', async () => {
    const session = world().client().session('nowhere');
    const refusal = await session.join().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FlowError);
    expect(refusal).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(session.status).toMatchObject({ state: 'refused', reason: { code: 'SESSION_NOT_FOUND' }, isReading: false });
  });

  test('[CL3] an operation the server never takes stops the writing, not the reading; it can be exported', async () => {
    const { sessionId } = await world().createSession('yjs');
    const session = await world().joined(sessionId);
    session.submit(['this is no Yjs update']);
    await until(session, 'refused');
    expect(session.status).toMatchObject({ reason: { code: 'BAD_REQUEST' }, isReading: true, unsent: 1 });
    expect(session.heldOperations()).toEqual([{ operation: 'this is no Yjs update', state: 'unsent' }]);
    await expect(session.whenSaved()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('[CL4] near the bound it warns, at the bound submit throws, nothing is dropped, and there is room again later', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId, { maxHeldBytes: 1_000 });
    const told: string[] = [];
    session.on('nearly-full', () => told.push('nearly-full'));
    session.on('room-again', () => told.push('room-again'));
    world().holdSaves();
    for (let index = 0; index < 9; index += 1) session.submit(['x'.repeat(98)]);
    expect(told).toEqual(['nearly-full']);
    session.submit(['x'.repeat(98)]);
    expect(() => session.submit(['one more'])).toThrow(expect.objectContaining({ code: 'BUSY' }));
    world().letSave();
    await untilSynced(session);
    expect(told).toEqual(['nearly-full', 'room-again']);
    session.submit(['one more']);
    await untilSynced(session);
    expect(await world().history(sessionId)).toHaveLength(11);
  });

  test('[EO10] an operation over the limit is refused before it is kept', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    expect(() => session.submit(['x'.repeat(1_048_577)])).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(session.counts.unsent).toBe(0);
  });

  test('[EO10] operations that are too many bytes for one batch go in several', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    session.submit(['ä', 'b', 'c', 'd'].map((letter) => letter.repeat(500_000)));
    await untilSynced(session);
    expect((await world().history(sessionId)).map((operation) => String(operation).length)).toEqual(
      Array(4).fill(500_000),
    );
  });

  test('participants come and go', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    const other = await world().joined(sessionId);
    await eventually('both', () => session.participants.length === 2);
    expect(sorted(session.participants.map(({ clientId }) => clientId))).toEqual(
      sorted([session.clientId, other.clientId]),
    );
    other.close();
    await eventually('one', () => session.participants.length === 1);
  });

  test('a closed session takes nothing more, and its receipts and waiters are told', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    world().holdSaves();
    const receipt = session.submit(['never saved here']);
    const isSaved = Promise.all([receipt.whenSaved(), session.whenSaved()]);
    session.close();
    await expect(isSaved).rejects.toMatchObject({ code: 'NOT_JOINED' });
    expect(() => session.submit(['late'])).toThrow(FlowError);
    expect(session.status).toEqual({ state: 'closed' });
  });
});
