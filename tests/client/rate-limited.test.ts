import type { ConnectionStatus } from '../../src/client/connection';
import { FlowClient } from '../../src/client/flow-client';
import type { SessionStatus } from '../../src/client/session-status';
import { eventually } from '../support/eventually';
import { emptyJoin, refusalOf, ScriptedServer } from './support/scripted-server';

/** Much longer than a retry without being told takes. */
const WAIT_MS = 300;
const limited = () => refusalOf('RATE_LIMITED', { retryAfterMs: WAIT_MS });

let server: ScriptedServer;
let client: FlowClient;
beforeEach(async () => {
  server = await new ScriptedServer().start();
  client = new FlowClient({ url: server.url, backoff: { firstMs: 1, ceilingMs: 2 }, requestDeadlineMs: 5_000 });
});
afterEach(async () => {
  client.close();
  await eventually('nothing is left', () => Object.values(client.resources).every((count) => count === 0));
  await server.stop();
});

/** Refuses the first so many, then answers. */
function limitFirst(name: string, count: number, answer: (request: Record<string, unknown>) => object | null): void {
  let refusals = 0;
  server.on(name, (request) => {
    refusals += 1;
    return refusals <= count ? limited() : answer(request as Record<string, unknown>);
  });
}

/** How long after the last refused one the first further one came. */
function pauseAfter(name: string, refused: number): number {
  const times = server.named(name).map(({ atMs }) => atMs);
  return (times[refused] ?? 0) - (times[refused - 1] ?? 0);
}

const delayOf = (status: SessionStatus | ConnectionStatus): string =>
  'delayedBy' in status && status.delayedBy ? `${status.state} delayed by ${status.delayedBy.code}` : status.state;

describe('[LM1] a client that is told to wait', () => {
  test('on submit sends the same again after that time, in its order, and says that it is delayed', async () => {
    server.on('session:join', () => emptyJoin('s'));
    let head = { seq: 0, tag: '' };
    let clientSeq = 0;
    let refusals = 0;
    server.on('operation:submit', (request, socket) => {
      const submitted = request as { clientSeq: number; operations: unknown[] };
      if (refusals < 2) {
        refusals += 1;
        return limited();
      }
      // What was on its way behind a refused one.
      if (submitted.clientSeq !== clientSeq + 1) return refusalOf('CLIENT_SEQ_GAP', { expected: clientSeq + 1 });
      const { operations } = submitted;
      clientSeq += operations.length;
      const before = head;
      head = { seq: clientSeq, tag: `tag ${clientSeq}` };
      const entry = { epoch: 1, seq: clientSeq, clientId: 'client-1', clientSeq, userId: 'u', at: 0, operations };
      socket.emit('operation:batch', {
        ...{ sessionId: 's', epoch: 1, prevSeq: before.seq, prevTag: before.tag },
        ...{ entries: [entry], tag: head.tag, saved: head.seq },
      });
      return null;
    });
    const session = client.session('s');
    const told: string[] = [];
    const delivered: unknown[] = [];
    session.on('status', (status) => told.push(delayOf(status)));
    session.on('entries', ({ entries }) => delivered.push(...entries.flatMap(({ operations }) => operations)));
    await session.join();
    const first = session.submit(['a', 'b']);
    await eventually('delayed', () => told.includes('saving delayed by RATE_LIMITED'));
    const second = session.submit(['c']);
    await Promise.all([first.whenSaved(), second.whenSaved()]);
    // What was submitted meanwhile has waited, too, behind what was refused.
    expect(delivered).toEqual(['a', 'b', 'c']);
    const firsts = server.named('operation:submit').filter(({ request }) => {
      return (request as { clientSeq: number }).clientSeq === 1;
    });
    expect(firsts.map(({ request }) => request)).toEqual(
      Array(3).fill({ sessionId: 's', clientSeq: 1, operations: ['a', 'b'] }),
    );
    const [refused = 0, again = 0, taken = 0] = firsts.map(({ atMs }) => atMs);
    expect(Math.min(again - refused, taken - again)).toBeGreaterThanOrEqual(WAIT_MS - 5);
    expect(told).not.toContain('refused');
    expect(session.status).toEqual({ state: 'synced' });
  });

  test('on join comes again after that time, and join resolves', async () => {
    limitFirst('session:join', 12, () => emptyJoin('s'));
    const session = client.session('s');
    const told: string[] = [];
    session.on('status', (status) => told.push(delayOf(status)));
    const joined = session.join();
    await eventually('delayed', () => told.includes('connecting delayed by RATE_LIMITED'));
    expect(session.status).toMatchObject({ state: 'connecting', delayedBy: { code: 'RATE_LIMITED' } });
    await joined;
    // However often: who is busy is waited for.
    expect(server.named('session:join')).toHaveLength(13);
    for (let refused = 1; refused <= 12; refused += 1) {
      expect(pauseAfter('session:join', refused)).toBeGreaterThanOrEqual(WAIT_MS - 5);
    }
    expect(told).not.toContain('refused');
  });

  test('on create asks again after that time; what is created meanwhile waits behind it', async () => {
    const info = { title: '', format: 'json', createdBy: 'u', createdAt: 0, updatedAt: 0 };
    limitFirst('session:create', 1, ({ sessionId }) => ({ status: 'ok', session: { ...info, sessionId } }));
    const told: string[] = [];
    client.on('status', (status) => told.push(delayOf(status)));
    const first = client.createSession({ sessionId: 'first' });
    await eventually('delayed', () => told.includes('connected delayed by RATE_LIMITED'));
    const second = client.createSession({ sessionId: 'second' });
    expect((await first).sessionId).toBe('first');
    expect((await second).sessionId).toBe('second');
    const asked = server.named('session:create').map(({ request }) => request);
    expect(asked).toEqual([{ sessionId: 'first' }, { sessionId: 'first' }, { sessionId: 'second' }]);
    expect(pauseAfter('session:create', 1)).toBeGreaterThanOrEqual(WAIT_MS - 5);
    expect(client.status).toEqual({ state: 'connected' });
  });

  test('on create is told when it is closed meanwhile', async () => {
    limitFirst('session:create', 1, () => null);
    const created = client.createSession();
    await eventually('delayed', () => delayOf(client.status) === 'connected delayed by RATE_LIMITED');
    client.close();
    await expect(created).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
  });

  test('on awareness shows where it is then, and nothing of the way there', async () => {
    server.on('session:join', () => emptyJoin('s'));
    limitFirst('awareness:update', 2, () => ({ status: 'ok' }));
    const session = client.session('s');
    await session.join();
    session.sendAwareness('1', 1, 'was here');
    session.sendAwareness('2', 1, 'another one');
    await eventually('both refused', () => server.named('awareness:update').length === 2);
    // An answer to a request behind them: the refusals have been read.
    server.on('session:create', () => ({ status: 'ok', session: {} }));
    await client.request('session:create', {});
    session.sendAwareness('1', 2, 'and here');
    session.sendAwareness('1', 3, 'is there');
    await eventually('shown', () => server.named('awareness:update').length === 4);
    const shown = server.named('awareness:update').map(({ request }) => request);
    expect(shown.slice(2)).toEqual([
      { sessionId: 's', awarenessId: '1', clock: 3, state: 'is there' },
      { sessionId: 's', awarenessId: '2', clock: 1, state: 'another one' },
    ]);
    expect(pauseAfter('awareness:update', 2)).toBeGreaterThanOrEqual(WAIT_MS - 5);
    expect(session.status).toEqual({ state: 'synced' });
  });

  test('on awareness forgets it with the connection: who comes back says it anew', async () => {
    server.on('session:join', () => emptyJoin('s'));
    limitFirst('awareness:update', 1, () => ({ status: 'ok' }));
    const session = client.session('s');
    await session.join();
    session.sendAwareness('1', 1, 'was here');
    await eventually('waits', () => session.resources.timers === 1);
    server.dropAll();
    await eventually('gone', () => session.resources.timers === 0);
    await eventually('back', () => session.status.state === 'synced');
    session.sendAwareness('1', 2, 'back');
    await eventually('said', () => server.named('awareness:update').length === 2);
    expect(server.named('awareness:update')[1]?.request).toMatchObject({ clock: 2, state: 'back' });
  });
});
