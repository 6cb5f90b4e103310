import type { AwarenessStates } from '../../src/protocol/schemas';
import { createSession } from '../support/documents';
import { eventually } from '../support/eventually';
import { useServers } from '../support/server';
import type { WireClient } from '../support/wire-client';

const startServer = useServers();

/** What a client shows after everything it has heard. */
function shownTo(client: WireClient): AwarenessStates {
  const shown: AwarenessStates = {};
  for (const { states } of client.all('awareness:update')) {
    for (const [awarenessId, state] of Object.entries(states)) {
      if (state.state === null) delete shown[awarenessId];
      else shown[awarenessId] = state;
    }
  }
  return shown;
}

async function twoInASession(config = {}) {
  const server = await startServer({ config });
  const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
  const sessionId = await createSession(ada);
  await ada.demand('session:join', { sessionId });
  await bob.demand('session:join', { sessionId });
  return { server, ada, bob, sessionId };
}

test('[DL9] a state reaches the others at once, and whoever joins later', async () => {
  const { server, ada, bob, sessionId } = await twoInASession();
  const state = { user: { name: 'Ada', color: '#ff0' }, cursor: { anchor: 3, head: 7 } };
  await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 1, state });
  expect(await bob.next('awareness:update')).toEqual({ sessionId, states: { 42: { clock: 1, state } } });
  const late = await server.connect({ user: 'late' });
  expect((await late.demand('session:join', { sessionId })).awareness).toEqual({ 42: { clock: 1, state } });
});

test('[DL9] a state goes with its connection', async () => {
  const { ada, bob, sessionId } = await twoInASession();
  await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 1, state: 'here' });
  await bob.next('awareness:update', ({ states }) => states['42']?.state === 'here');
  ada.close();
  const { states } = await bob.next('awareness:update');
  expect(states).toEqual({ 42: { clock: 1, state: null } });
  expect((await bob.demand('session:join', { sessionId })).awareness).toEqual({});
});

test('[DL9] who comes back with the next clock is seen again', async () => {
  const { server, ada, bob, sessionId } = await twoInASession();
  await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 7, state: 'before' });
  await bob.next('awareness:update', ({ states }) => states['42']?.state === 'before');
  ada.close();
  const { states } = await bob.next('awareness:update');
  const again = await server.connect({ user: 'ada' });
  await again.demand('session:join', { sessionId });
  await again.demand('awareness:update', { sessionId, awarenessId: '42', clock: 8, state: 'after' });
  const back = await bob.next('awareness:update', (update) => update.states['42']?.state === 'after');
  // A reader that only takes newer clocks takes it.
  expect(back.states['42']?.clock).toBeGreaterThan(states['42']?.clock ?? Number.POSITIVE_INFINITY);
});

test('[DL9] late messages of a replaced connection change nothing', async () => {
  const { server, ada, bob, sessionId } = await twoInASession();
  const { client } = await ada.demand('session:join', { sessionId });
  await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 1, state: 'old' });
  const newer = await server.connect({ user: 'ada' });
  const credentials = { clientId: client.clientId, signature: client.signature };
  await newer.demand('session:join', { sessionId, client: credentials });
  await newer.demand('awareness:update', { sessionId, awarenessId: '42', clock: 2, state: 'new' });
  const refused = await ada.refusal('awareness:update', { sessionId, awarenessId: '42', clock: 3, state: 'late' });
  expect(refused.code).toBe('CLIENT_REPLACED');
  await bob.next('awareness:update', ({ states }) => states['42']?.state === 'new');
  expect((await bob.demand('session:join', { sessionId })).awareness).toEqual({ 42: { clock: 2, state: 'new' } });
});

test("[DL9] nobody moves another connection's cursor", async () => {
  const { ada, bob, sessionId } = await twoInASession();
  await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 1, state: 'mine' });
  for (const state of ['stolen', null]) {
    expect(await bob.refusal('awareness:update', { sessionId, awarenessId: '42', clock: 9, state })).toMatchObject({
      code: 'FORBIDDEN',
    });
  }
  expect((await bob.demand('session:join', { sessionId })).awareness).toEqual({ 42: { clock: 1, state: 'mine' } });
});

test('[DL9] many movers cost a reader one frame per interval', async () => {
  const awarenessIntervalMs = 100;
  const { server, bob, sessionId } = await twoInASession({ awarenessIntervalMs });
  const movers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => server.connect({ user: `mover-${index}` })),
  );
  await Promise.all(movers.map((mover) => mover.demand('session:join', { sessionId })));
  const since = performance.now();
  for (let clock = 1; clock <= 30; clock += 1) {
    await Promise.all(
      movers.map((mover, index) =>
        mover.demand('awareness:update', { sessionId, awarenessId: `${index}`, clock, state: clock }),
      ),
    );
  }
  await eventually('the last moves have arrived', () => {
    expect(Object.values(shownTo(bob)).map(({ state }) => state)).toEqual(Array.from({ length: 10 }, () => 30));
  });
  const frames = bob.all('awareness:update').length;
  expect(frames).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - since) / awarenessIntervalMs));
});

test('[DL9] an update needs no acknowledgement', async () => {
  const { ada, bob, sessionId } = await twoInASession();
  ada.socket.emit('awareness:update', { sessionId, awarenessId: '42', clock: 1, state: 'quiet' });
  expect((await bob.next('awareness:update')).states).toEqual({ 42: { clock: 1, state: 'quiet' } });
});

test("[EO10] [DL9] what is too large, too deep or nobody's is refused", async () => {
  const { ada, sessionId } = await twoInASession();
  const update = (state: unknown, awarenessId = '42') =>
    ada.refusal('awareness:update', { sessionId, awarenessId, clock: 1, state });
  expect(await update('x'.repeat(20_000))).toMatchObject({ code: 'TOO_LARGE' });
  expect(await update(JSON.parse('{"__proto__":{"polluted":1}}'))).toMatchObject({ code: 'BAD_REQUEST' });
  expect(await update('x', '__proto__')).toMatchObject({ code: 'BAD_REQUEST' });
  expect(await update(JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`))).toMatchObject({ code: 'BAD_REQUEST' });
  expect(
    await ada.refusal('awareness:update', { sessionId: 'nobody', awarenessId: '1', clock: 1, state: 1 }),
  ).toMatchObject({ code: 'NOT_JOINED' });
  expect((await ada.demand('session:join', { sessionId })).awareness).toEqual({});
  await ada.demand('awareness:update', {
    sessionId,
    awarenessId: 'constructor',
    clock: 1,
    state: 'a name like any other',
  });
  const { awareness } = await ada.demand('session:join', { sessionId });
  expect(Object.keys(awareness)).toEqual([]);
});

describe("[DL9] an awareness id is its first user's", () => {
  test('nobody takes the place of one who is away for a moment', async () => {
    const { server, ada, bob, sessionId } = await twoInASession();
    await ada.demand('awareness:update', { sessionId, awarenessId: '42', clock: 1, state: 'Ada' });
    await bob.next('awareness:update', ({ states }) => states['42']?.state === 'Ada');
    ada.close();
    await bob.next('awareness:update', ({ states }) => states['42']?.state === null);
    const squat = { sessionId, awarenessId: '42', clock: 2, state: 'Ada, honestly' };
    expect(await bob.refusal('awareness:update', squat)).toMatchObject({ code: 'FORBIDDEN' });
    const again = await server.connect({ user: 'ada' });
    await again.demand('session:join', { sessionId });
    await again.demand('awareness:update', { sessionId, awarenessId: '42', clock: 2, state: 'Ada again' });
    await bob.next('awareness:update', ({ states }) => states['42']?.state === 'Ada again');
  });

  test('a connection has eight at a time and 64 in its life', async () => {
    const { ada, bob, sessionId } = await twoInASession();
    const show = (id: number, clock: number, state: unknown) =>
      ada.ask('awareness:update', { sessionId, awarenessId: `${id}`, clock, state });
    for (let id = 0; id < 8; id += 1) expect(await show(id, 1, 'here')).toEqual({ status: 'ok' });
    expect(await show(8, 1, 'here')).toMatchObject({ error: { code: 'TOO_LARGE' } });
    for (let id = 0; id < 64; id += 1) {
      await show(id, 1, 'here');
      expect(await show(id, 1, null)).toEqual({ status: 'ok' });
    }
    expect(await show(64, 1, 'here')).toMatchObject({ error: { code: 'TOO_LARGE' } });
    await ada.demand('awareness:update', { sessionId, awarenessId: '63', clock: 2, state: 'an old one' });
    await bob.next('awareness:update', ({ states }) => states['63']?.state === 'an old one');
  });
});
