import { FlowClient } from '../../src/client/flow-client';
import { pause, systemClock } from '../../src/lib/clock';
import { createLogger } from '../../src/lib/logger';
import type { WireError } from '../../src/protocol/errors';
import { eventually } from '../support/eventually';
import { SECRET, secretToken } from '../support/identity-provider';
import { RawSocket } from '../support/raw-socket';
import { useServers, type ServerStats, type TestServer } from '../support/server';
import type { WireClient, WireClientOptions } from '../support/wire-client';

const startServer = useServers();

/** Small enough to be met at once. */
const FEW_EDITS = { editsPerSecond: 4 };
const BURST = 20;

interface LimitStats extends ServerStats {
  readonly limits: { readonly refused: number; readonly connectionsCut: number };
}

const limitsOf = async (server: TestServer): Promise<LimitStats['limits']> =>
  ((await server.stats()) as LimitStats).limits;

async function editor(server: TestServer, user: string, sessionId: string): Promise<WireClient> {
  const client = await server.connect({ user });
  await client.ask('session:create', { sessionId, format: 'json' });
  await client.demand('session:join', { sessionId });
  return client;
}

/** Submits until one is refused, and answers that refusal. */
async function refusedAfter(client: WireClient, sessionId: string): Promise<{ accepted: number; error: WireError }> {
  for (let clientSeq = 1; ; clientSeq += 1) {
    const answer = await client.ask('operation:submit', { sessionId, clientSeq, operations: [clientSeq] });
    if (answer.status === 'error') return { accepted: clientSeq - 1, error: answer.error };
  }
}

/** Why a connection is not let in; or that it is. */
const refusalOf = (server: TestServer, options: WireClientOptions): Promise<WireError | 'let in'> =>
  server.connect(options).then(
    () => 'let in' as const,
    (fault: { data?: WireError }) => {
      if (!fault.data) throw fault;
      return fault.data;
    },
  );

const LIMITED = { code: 'RATE_LIMITED', action: 'wait' };

describe('edits', () => {
  test('[LM1, LM2] beyond the burst an edit is refused; nothing has happened, and after the wait it is taken', async () => {
    const server = await startServer({ config: FEW_EDITS });
    const ada = await editor(server, 'ada', 'notes');
    const { accepted, error } = await refusedAfter(ada, 'notes');
    expect(accepted).toBeGreaterThanOrEqual(BURST);
    expect(accepted).toBeLessThan(2 * BURST);
    expect(error).toMatchObject(LIMITED);
    const waitMs = error.retryAfterMs ?? 0;
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(1_500);
    // Others, and everything else of this one, go on.
    const bob = await editor(server, 'bob', 'notes');
    await bob.demand('operation:submit', { sessionId: 'notes', clientSeq: 1, operations: ['x'] });
    expect((await server.stats()).operations.ordered).toBe(accepted + 1);
    await ada.demand('awareness:update', { sessionId: 'notes', awarenessId: 'a', clock: 1, state: {} });
    // As a client does.
    await pause(systemClock, waitMs);
    await ada.demand('operation:submit', { sessionId: 'notes', clientSeq: accepted + 1, operations: ['y'] });
    expect(await limitsOf(server)).toEqual({ refused: 1, connectionsCut: 0 });
  });

  test('[LM1] who wants no acknowledgement is told, too', async () => {
    const server = await startServer({ config: FEW_EDITS });
    const ada = await editor(server, 'ada', 'notes');
    for (let clientSeq = 1; clientSeq <= 2 * BURST; clientSeq += 1) {
      const request = { sessionId: 'notes', clientSeq, operations: ['x'], ref: 100 + clientSeq };
      ada.socket.emit('operation:submit', request);
    }
    const { ref, answer } = await ada.next('operation:answer');
    expect(ref).toBeGreaterThan(100 + BURST);
    expect(answer).toMatchObject({ status: 'error', error: LIMITED });
  });

  test('[LM1] the client library waits as it is told, and loses nothing', async () => {
    const server = await startServer({ config: FEW_EDITS });
    const client = new FlowClient({ url: server.url, token: 'ada' });
    const { sessionId } = await client.createSession({ format: 'json' });
    const session = client.session(sessionId);
    const statuses = new Set<string>();
    const delays = new Set<string>();
    session.on('status', (status) => {
      statuses.add(status.state);
      if (status.state === 'saving' && status.delayedBy) delays.add(status.delayedBy.code);
    });
    const seen: unknown[] = [];
    session.on('entries', ({ entries }) => entries.forEach(({ operations }) => seen.push(...operations)));
    await session.join();
    const typed = Array.from({ length: 1_000 }, (_, index) => index);
    for (const edit of typed) {
      session.submit([edit]);
      // Each in a turn of its own, so that each is a batch.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await session.whenSaved();
    expect(seen).toEqual(typed);
    expect([...delays]).toEqual(['RATE_LIMITED']);
    expect([...statuses].sort()).toEqual(['connecting', 'saving', 'synced']);
    const { refused, connectionsCut } = await limitsOf(server);
    expect(refused).toBeGreaterThan(0);
    expect(connectionsCut).toBe(0);
    client.close();
  });

  test('[LM2] with what is allowed unless told otherwise, the client library is not refused what is pasted and typed', async () => {
    const server = await startServer();
    const client = new FlowClient({ url: server.url, token: 'ada' });
    const { sessionId } = await client.createSession({ format: 'json' });
    const session = client.session(sessionId);
    await session.join();
    session.submit(Array.from({ length: 2_000 }, (_, line) => `${line}: ${'x'.repeat(1_000)}`));
    // As many keys as a fast typist presses in a minute, at once.
    for (let key = 0; key < 450; key += 1) {
      session.submit([key]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await session.whenSaved();
    expect(await limitsOf(server)).toEqual({ refused: 0, connectionsCut: 0 });
    client.close();
  });
});

describe('[LM4] who ignores refusals', () => {
  test('is cut off, with a few lines in the log; it is counted, and others notice nothing', async () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info', instanceId: 'one' }, { write: (line) => void lines.push(line) });
    const config = { ...FEW_EDITS, maxIgnoredRefusals: 200 };
    const server = await startServer({ config, log });
    const bob = await editor(server, 'bob', 'notes');
    const { socket: mallory } = await RawSocket.connect(server.url, { token: 'mallory' });
    let id = 0;
    const flood = setInterval(() => {
      for (let count = 0; count < 20; count += 1)
        mallory.send(`42${(id += 1)}["operation:submit",{"sessionId":"notes","clientSeq":1,"operations":["x"]}]`);
    }, 5);
    expect(await mallory.closed().finally(() => clearInterval(flood))).toBeGreaterThanOrEqual(1_000);
    const { refused, connectionsCut } = await limitsOf(server);
    expect(connectionsCut).toBe(1);
    expect(refused).toBeGreaterThan(200);
    const told = lines.filter((line) => line.includes('mallory'));
    expect(told.filter((line) => line.includes('ignores refusals'))).toHaveLength(1);
    expect(told.length).toBeLessThan(12);
    await bob.demand('operation:submit', { sessionId: 'notes', clientSeq: 1, operations: ['x'] });
  });

  test('by frames that are no events is cut off, too', async () => {
    const config = { editsPerSecond: 1, awarenessPerSecond: 1, requestsPerSecond: 1, maxIgnoredRefusals: 50 };
    const server = await startServer({ config });
    const { socket: mallory } = await RawSocket.connect(server.url, { token: 'mallory' });
    for (let count = 0; count < 200; count += 1) mallory.send('431[]');
    expect(await mallory.closed()).toBeGreaterThanOrEqual(1_000);
    expect(await limitsOf(server)).toMatchObject({ connectionsCut: 1 });
  });

  test('[LM2] by frames as large as may be is cut off before it has sent many', async () => {
    const server = await startServer({ config: { receivedBytesPerSecond: 100_000 } });
    const ada = await editor(server, 'ada', 'notes');
    const { socket: mallory } = await RawSocket.connect(server.url, { token: 'mallory' });
    const frame = `421["operation:submit",{"sessionId":"notes","clientSeq":1,"operations":["${'x'.repeat(1_000_000)}"]}]`;
    for (let count = 0; count < 100; count += 1) mallory.send(frame);
    expect(await mallory.closed()).toBeGreaterThanOrEqual(1_000);
    expect((await limitsOf(server)).refused).toBeLessThan(40);
    await ada.fence();
  });
});

describe('[LM5] connections', () => {
  test('of one user, so many and no more; when one ends, another may come', async () => {
    const server = await startServer({ config: { maxConnectionsPerUser: 2 } });
    const first = await server.connect({ user: 'ann' });
    await server.connect({ user: 'ann' });
    const refusal = await refusalOf(server, { user: 'ann' });
    expect(refusal).toMatchObject({ ...LIMITED, retryAfterMs: 5_000 });
    expect(await refusalOf(server, { user: 'bob' })).toBe('let in');
    first.close();
    await eventually('there is room', async () => expect(await refusalOf(server, { user: 'ann' })).toBe('let in'));
  });

  test('from one address, so many and no more; those that are refused are told, and ended', async () => {
    const server = await startServer({ config: { maxConnectionsPerIp: 2 } });
    const first = await server.connect({ user: 'ann' });
    await server.connect({ user: 'bob' });
    const third = await RawSocket.open(server.url);
    third.send('40{"token":"carl"}');
    expect(await third.hears((text) => text.startsWith('44'))).toContain('"code":"RATE_LIMITED"');
    await third.closed();
    first.close();
    await eventually('there is room', async () => expect(await refusalOf(server, { user: 'carl' })).toBe('let in'));
  });

  test('of those who do not say who they are, twice as many: then the door is closed', async () => {
    const server = await startServer({ config: { maxConnectionsPerIp: 2 } });
    const silent = await Promise.all(Array.from({ length: 4 }, () => RawSocket.open(server.url)));
    await expect(RawSocket.open(server.url)).rejects.toThrow('closed with 1006');
    silent.pop()?.close();
    await eventually('one may come', async () => (await RawSocket.open(server.url)).close());
    for (const socket of silent) socket.close();
  });

  test.each([
    ['one user', { userConnectsPerMinute: 3 }],
    ['one address', { ipConnectsPerMinute: 3 }],
  ])('made by %s in a minute, so many and no more', async (_whose, config) => {
    const server = await startServer({ config });
    for (let count = 0; count < 3; count += 1) (await server.connect({ user: 'ann' })).close();
    const refusal = await refusalOf(server, { user: 'ann' });
    expect(refusal).toMatchObject(LIMITED);
    expect(refusal).toHaveProperty('retryAfterMs');
  });

  test('[LM5, LM6] with tokens that are not accepted: from that address none is looked at for a while', async () => {
    const config = { authMode: 'jwt', authJwtSecret: SECRET, ipAuthFailuresPerMinute: 3, trustProxy: 1 } as const;
    const server = await startServer({ config });
    const guess = (token: string, from: string) =>
      refusalOf(server, { auth: { token }, headers: { 'x-forwarded-for': from } });
    const good = secretToken({ sub: 'ann' });
    for (let count = 0; count < 3; count += 1)
      expect(await guess(`guess-${count}`, '203.0.113.9')).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await guess('guess', '203.0.113.9')).toMatchObject(LIMITED);
    expect(await guess(await good, '203.0.113.9')).toMatchObject(LIMITED);
    expect(await guess(await good, '203.0.113.10')).toBe('let in');
    // It counts together with what comes over HTTP.
    const request = { headers: { authorization: `Bearer ${await good}`, 'x-forwarded-for': '203.0.113.9' } };
    expect((await fetch(`${server.url}/api/sessions`, request)).status).toBe(429);
  });
});

describe('[LM6] the address', () => {
  test.each([
    ['nobody is trusted: what a client writes into X-Forwarded-For changes nothing', 0, 'RATE_LIMITED'],
    ['one proxy is trusted: what it adds counts', 1, 'let in'],
  ])('%s', async (_what, trustProxy, expected) => {
    const server = await startServer({ config: { maxConnectionsPerIp: 2, trustProxy } });
    const outcomes: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const headers = { 'x-forwarded-for': `203.0.113.${count}` };
      const outcome = await refusalOf(server, { user: 'mallory', headers });
      outcomes.push(outcome === 'let in' ? outcome : outcome.code);
    }
    expect(outcomes).toEqual(['let in', 'let in', expected, expected]);
  });

  test('one proxy is trusted: what a client writes before it changes nothing', async () => {
    const server = await startServer({ config: { maxConnectionsPerIp: 1, trustProxy: 1 } });
    const outcome = (spoofed: string) =>
      refusalOf(server, { user: 'mallory', headers: { 'x-forwarded-for': `${spoofed}, 203.0.113.9` } });
    expect(await outcome('198.51.100.1')).toBe('let in');
    expect(await outcome('198.51.100.2')).toMatchObject(LIMITED);
  });
});

describe('[LM8] sizes', () => {
  test('a connection is in so many sessions and no more; who leaves one may join another', async () => {
    const server = await startServer({ config: { maxSessionsPerConnection: 2 } });
    const ada = await server.connect({ user: 'ada' });
    for (const sessionId of ['a', 'b', 'c']) await ada.demand('session:create', { sessionId });
    for (const sessionId of ['a', 'b', 'b']) await ada.demand('session:join', { sessionId });
    expect(await ada.refusal('session:join', { sessionId: 'c' })).toMatchObject({ ...LIMITED, retryAfterMs: 5_000 });
    await ada.demand('session:leave', { sessionId: 'a' });
    await ada.demand('session:join', { sessionId: 'c' });
  });

  test('a session has so many participants and no more; an older connection of the same client makes room', async () => {
    const server = await startServer({ config: { maxParticipants: 2 } });
    const ada = await server.connect({ user: 'ada' });
    await ada.demand('session:create', { sessionId: 'full' });
    const { client } = await ada.demand('session:join', { sessionId: 'full' });
    const bob = await server.connect({ user: 'bob' });
    await bob.demand('session:join', { sessionId: 'full' });
    const carl = await server.connect({ user: 'carl' });
    expect(await carl.refusal('session:join', { sessionId: 'full' })).toMatchObject(LIMITED);
    const { clientId, signature } = client;
    const again = await server.connect({ user: 'ada' });
    await again.demand('session:join', { sessionId: 'full', client: { clientId, signature } });
    await bob.demand('session:leave', { sessionId: 'full' });
    await carl.demand('session:join', { sessionId: 'full' });
  });

  test('a document that is too large takes no more, and can be read', async () => {
    const server = await startServer({ config: { maxDocumentBytes: 100_000 } });
    const ada = await editor(server, 'ada', 'large');
    let clientSeq = 0;
    const submit = () =>
      ada.ask('operation:submit', { sessionId: 'large', clientSeq: clientSeq + 1, operations: ['x'.repeat(10_000)] });
    await eventually('it takes no more', async () => {
      const answer = await submit();
      if (answer.status === 'ok') clientSeq += 1;
      expect(answer).toMatchObject({ status: 'error', error: { code: 'TOO_LARGE', action: 'stop' } });
    });
    expect(clientSeq).toBeGreaterThanOrEqual(10);
    expect(clientSeq).toBeLessThan(100);
    const bob = await server.connect({ user: 'bob' });
    const { entries } = await bob.demand('session:join', { sessionId: 'large' });
    expect(entries.at(-1)?.seq).toBeGreaterThanOrEqual(10);
    // A new one is not concerned.
    const carl = await editor(server, 'carl', 'small');
    await carl.demand('operation:submit', { sessionId: 'small', clientSeq: 1, operations: ['x'] });
  });
});

test('[LM3] sessions that one user joins and makes in a minute', async () => {
  const server = await startServer({ config: { userJoinsPerMinute: 4, userCreatesPerMinute: 2 } });
  const ada = await server.connect({ user: 'ada' });
  const outcomes = async (
    name: 'session:create' | 'session:join',
    sessionIds: readonly string[],
  ): Promise<string[]> => {
    const answers = [];
    for (const sessionId of sessionIds) answers.push(await ada.ask(name, { sessionId }));
    return answers.map((answer) => (answer.status === 'ok' ? 'ok' : answer.error.code));
  };
  const made = await outcomes('session:create', ['a', 'b', 'c', 'd', 'e']);
  expect(made.slice(0, 2)).toEqual(['ok', 'ok']);
  expect(made.at(-1)).toBe('RATE_LIMITED');
  const joined = await outcomes('session:join', ['a', 'b', 'a', 'b', 'a', 'b', 'a']);
  expect(joined.slice(0, 4)).toEqual(['ok', 'ok', 'ok', 'ok']);
  expect(joined.at(-1)).toBe('RATE_LIMITED');
});
