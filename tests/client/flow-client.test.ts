import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { FlowClient, type FlowClientOptions } from '../../src/client/flow-client';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import type { FlowSession } from '../../src/client/session';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import type { ErrorCode } from '../../src/protocol/errors';
import * as Y from 'yjs';
import { eventually } from '../support/eventually';
import { emptyJoin, refusalOf, ScriptedServer } from './support/scripted-server';
import { QUICK_BACKOFF, untilSynced, useWorld } from './support/world';

describe('a client of a scripted server', () => {
  let server: ScriptedServer;
  const clients: FlowClient[] = [];

  beforeEach(async () => {
    server = await new ScriptedServer().start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.stop();
  });

  function clientOf(options: Partial<FlowClientOptions> = {}): FlowClient {
    const client = new FlowClient({
      url: options.url ?? server.url,
      backoff: QUICK_BACKOFF,
      requestDeadlineMs: 2_000,
      ...options,
    });
    clients.push(client);
    return client;
  }

  /** A session that has submitted something, which the server refuses every time. */
  async function refusedWith(code: ErrorCode): Promise<FlowSession> {
    server.on('session:join', () => emptyJoin('s'));
    server.on('operation:submit', () => refusalOf(code));
    const session = clientOf({ backoff: { firstMs: 1, ceilingMs: 5 } }).session('s');
    await session.join();
    session.submit(['x']);
    return session;
  }

  test('makes no connection before it is needed, and says the version of the wire and who it is', async () => {
    const client = clientOf({ token: 'ann' });
    expect(client.status).toEqual({ state: 'idle' });
    expect(client.resources).toEqual({ sockets: 0, timers: 0, requests: 0, sessions: 0 });
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    expect(server.handshakes).toEqual([{ token: 'ann', clientVersion: 1 }]);
  });

  test.each([
    ['not a url', 'must be an http, https, ws or wss address'],
    ['localhost:3001', 'must be an http, https, ws or wss address'],
    ['', 'must be an http, https, ws or wss address'],
    ['https://flow.example.com/app', 'has a path, "/app"'],
  ])('says at once that %j is no address of a server', (url, why) => {
    const isRefused = { code: 'BAD_REQUEST', message: expect.stringContaining(why) as string };
    expect(() => new FlowClient({ url })).toThrow(expect.objectContaining(isRefused));
  });

  test('a server that cannot be reached is told with the reason', async () => {
    const { url } = server;
    await server.stop();
    const created = clientOf({ url, requestDeadlineMs: 200 }).createSession();
    await expect(created).rejects.toMatchObject({ code: 'NOT_DELIVERED', message: expect.stringMatching(/ms: .+/) });
    server = await new ScriptedServer().start();
  });

  test('asks for a token before every connection', async () => {
    let count = 0;
    const client = clientOf({ token: async () => `token ${(count += 1)}` });
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    server.dropAll();
    await eventually('connected again', () => server.handshakes.length === 2 && client.status.state === 'connected');
    expect(server.handshakes).toMatchObject([{ token: 'token 1' }, { token: 'token 2' }]);
  });

  test('a token that cannot be had is asked for again', async () => {
    let count = 0;
    const client = clientOf({
      token: () => {
        count += 1;
        if (count === 1) throw new Error('signed out for a moment');
        return 'ann';
      },
    });
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    expect(server.handshakes).toMatchObject([{ token: 'ann' }]);
  });

  test('[CL3] a refused handshake is told and not repeated, until somebody connects again', async () => {
    server.refusal = refusalOf('UNAUTHENTICATED').error;
    const client = clientOf();
    const session = client.session('s');
    const refusal = await session.join().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(client.status).toMatchObject({ state: 'refused', reason: { code: 'UNAUTHENTICATED' } });
    expect(session.status).toMatchObject({ state: 'refused', reason: { code: 'UNAUTHENTICATED' } });
    expect(client.resources).toMatchObject({ sockets: 0, timers: 0 });
    server.refusal = null;
    server.on('session:join', () => emptyJoin('s'));
    client.connect();
    await untilSynced(session);
    expect(server.handshakes).toHaveLength(2);
  });

  test('[CL3] a server that is busy at the handshake is tried again', async () => {
    server.refusal = refusalOf('BUSY', { retryAfterMs: 10 }).error;
    const client = clientOf();
    client.connect();
    await eventually('tried three times', () => server.handshakes.length >= 3);
    expect(client.status.state).not.toBe('refused');
    server.refusal = null;
    await eventually('connected', () => client.status.state === 'connected');
  });

  test('[CL3] delays between attempts grow up to the ceiling, with jitter', async () => {
    const { url } = server;
    await server.stop();
    const delays: number[] = [];
    const client = clientOf({ url, backoff: { firstMs: 4, ceilingMs: 60 } });
    client.on('status', (status) => {
      if (status.state === 'waiting') delays.push(status.retryInMs);
    });
    client.connect();
    await eventually('eight attempts', () => delays.length >= 8);
    client.close();
    delays.slice(0, 8).forEach((delayMs, attempt) => {
      const longestMs = Math.min(60, 4 * 2 ** attempt);
      expect(delayMs).toBeGreaterThanOrEqual(Math.floor(longestMs / 2));
      expect(delayMs).toBeLessThanOrEqual(longestMs);
    });
    server = await new ScriptedServer().start();
  });

  test('a draining server is left when it says so, and not before', async () => {
    const client = clientOf();
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    server.announce('server:draining', { reconnectAfterMs: 150 });
    const toldAtMs = performance.now();
    await eventually('connected again', () => server.handshakes.length === 2);
    expect(performance.now() - toldAtMs).toBeGreaterThanOrEqual(140);
  });

  test('a draining server that goes earlier is tried again at the time it said', async () => {
    const client = clientOf();
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    server.announce('server:draining', { reconnectAfterMs: 300 });
    const toldAtMs = performance.now();
    server.dropAll();
    await eventually('connected again', () => server.handshakes.length === 2);
    expect(performance.now() - toldAtMs).toBeGreaterThanOrEqual(280);
  });

  test('a request without an answer ends at its deadline, and one that is malformed at once', async () => {
    const client = clientOf({ requestDeadlineMs: 100 });
    await expect(client.createSession()).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    server.on('session:create', () => ({ status: 'error', error: 'what is this?' }));
    await expect(client.createSession()).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    server.on('session:create', () => []);
    await expect(client.createSession()).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    expect(client.resources.requests).toBe(0);
  });

  test('a request is told when its connection is lost', async () => {
    const client = clientOf();
    const created = client.createSession();
    await eventually('asked', () => server.named('session:create').length === 1);
    server.dropAll();
    await expect(created).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
  });

  test("a refusal is the server's own words, also when this client does not know the code", async () => {
    const client = clientOf();
    server.on('session:create', () => refusalOf('SESSION_EXISTS'));
    await expect(client.createSession()).rejects.toMatchObject({ code: 'SESSION_EXISTS' });
    server.on('session:create', () => ({
      status: 'error',
      error: { code: 'NEW_FANGLED', message: 'later', action: 'stop' },
    }));
    await expect(client.createSession()).rejects.toMatchObject({ code: 'INTERNAL', message: 'NEW_FANGLED: later' });
  });

  test('[EO10] a server that asks to wait is obeyed, and what it refused is sent again under the same number', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('operation:submit', () => refusalOf('STORE_UNAVAILABLE', { retryAfterMs: 150 }));
    const session = clientOf().session('s');
    await session.join();
    session.submit(['x']);
    await eventually(
      'delayed',
      () => session.status.state === 'saving' && session.status.delayedBy?.code === 'STORE_UNAVAILABLE',
    );
    await eventually('sent again', () => server.named('operation:submit').length === 2);
    const [first, second] = server.named('operation:submit');
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(145);
    expect(second?.request).toEqual(first?.request);
  });

  test.each(['CLIENT_SEQ_CONFLICT', 'CLIENT_UNKNOWN', 'INTERNAL', 'NOT_JOINED'] as const)(
    '[CL3] %s for ever is not retried for ever: the user is told, and the operation is kept',
    async (code) => {
      const session = await refusedWith(code);
      await eventually('refused', () => session.status.state === 'refused');
      expect(session.status).toMatchObject({ reason: { code }, isReading: true, unsent: 1 });
      expect(server.named('operation:submit').length).toBe(8);
      expect(session.heldOperations()).toEqual([{ operation: 'x', state: 'unsent' }]);
    },
  );

  test.each(['STORE_UNAVAILABLE', 'RATE_LIMITED', 'BUSY', 'NOT_DELIVERED', 'DRAINING'] as const)(
    '[CL3] %s is waited out, however long it takes',
    async (code) => {
      const session = await refusedWith(code);
      await eventually('tried many times', () => server.named('operation:submit').length > 20);
      expect(session.status.state).toBe('saving');
    },
  );

  test('[EO3] when the server already has a part, only the rest is sent', async () => {
    server.on('session:join', () => emptyJoin('s'));
    let refusals = 0;
    server.on('operation:submit', (request) => {
      const { clientSeq, operations } = request as { clientSeq: number; operations: unknown[] };
      if (clientSeq === 1 && operations.length === 3) {
        refusals += 1;
        return refusalOf('CLIENT_SEQ_GAP', { expected: 3 });
      }
      return clientSeq === 1 ? { status: 'ok', epoch: 1, seq: 2, duplicate: true } : { status: 'ok', epoch: 1, seq: 3 };
    });
    const session = clientOf().session('s');
    await session.join();
    session.submit(['a', 'b', 'c']);
    await eventually('sent in parts', () => server.named('operation:submit').length === 3);
    expect(refusals).toBe(1);
    expect(server.named('operation:submit').map(({ request }) => request)).toEqual([
      { sessionId: 's', clientSeq: 1, operations: ['a', 'b', 'c'] },
      { sessionId: 's', clientSeq: 1, operations: ['a', 'b'] },
      { sessionId: 's', clientSeq: 3, operations: ['c'] },
    ]);
  });

  test('[EO10] at most 64 batches are in flight', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('session:leave', () => ({ status: 'ok' }));
    const client = clientOf();
    const session = client.session('s');
    await session.join();
    for (let index = 0; index < 100; index += 1) {
      session.submit([index]);
      await Promise.resolve();
    }
    // Behind this answer everything that was sent has arrived.
    await client.request('session:leave', { sessionId: 's' });
    expect(server.named('operation:submit')).toHaveLength(64);
  });

  test('a join without an answer is given up with its connection', async () => {
    const session = clientOf({ requestDeadlineMs: 100 }).session('s');
    session.join().catch(() => {});
    await eventually('another connection', () => server.handshakes.length === 2);
    expect(session.isLive).toBe(false);
  });

  test('[DL2] a batch that does not continue what was delivered is not shown; the session joins again with what it has', async () => {
    server.on('session:join', () => emptyJoin('s'));
    const session = clientOf().session('s');
    const seen: unknown[] = [];
    session.on('entries', ({ entries }) => seen.push(...entries));
    await session.join();
    server.on('session:join', () => emptyJoin('s', { resume: 'continue' }));
    const entry = { epoch: 1, seq: 7, clientId: 'other', clientSeq: 7, userId: 'u', at: 0, operations: ['x'] };
    server.announce('operation:batch', {
      sessionId: 's',
      epoch: 1,
      prevSeq: 6,
      prevTag: 'ffffffffffffffff',
      entries: [entry],
      tag: 'eeeeeeeeeeeeeeee',
      saved: 0,
    });
    await eventually('joined again', () => server.named('session:join').length === 2);
    expect(server.named('session:join')[1]?.request).toMatchObject({
      have: { epoch: 1, head: { seq: 0, tag: '' }, saved: { seq: 0, tag: '' } },
      client: { clientId: 'client-1', signature: 'signed' },
    });
    expect(seen).toEqual([]);
  });

  test('[DL1] when it had to page, the last page tells who is there and where they point', async () => {
    const someone = (userId: string) => ({ connectionId: userId, clientId: userId, userId, role: 'editor' });
    const shown = (state: string) => ({ '1': { clock: 1, state } });
    const at = { head: { epoch: 1, seq: 0, tag: '' }, next: { seq: 0, tag: '' }, entries: [] };
    let pages = 0;
    server.on('session:join', () =>
      emptyJoin('s', { more: true, participants: [someone('ada'), someone('dora')], awareness: shown('before') }),
    );
    server.on('operation:catch-up', () => {
      pages += 1;
      if (pages < 3) return { status: 'ok', ...at, more: true };
      const present = { participants: [someone('ada'), someone('carl')], awareness: shown('after') };
      return { status: 'ok', ...at, more: false, ...present };
    });
    const session = clientOf().session('s');
    const told: unknown[] = [];
    session.on('participants', (participants) => told.push(participants.map(({ userId }) => userId)));
    session.on('awareness', (states) => told.push(states));
    await session.join();
    expect(pages).toBe(3);
    expect(told).toEqual([['ada', 'carl'], shown('after')]);
    expect(session.participants.map(({ userId }) => userId)).toEqual(['ada', 'carl']);
  });

  describe('[CL2] who is not let in', () => {
    test('with FORBIDDEN keeps its id and what it holds, and is told', async () => {
      server.on('session:join', () => emptyJoin('s'));
      const session = clientOf().session('s');
      await session.join();
      session.submit(['x']);
      await eventually('sent', () => server.named('operation:submit').length === 1);
      server.on('session:join', () => refusalOf('FORBIDDEN'));
      server.dropAll();
      await eventually('refused', () => session.status.state === 'refused');
      expect(session.status).toMatchObject({ reason: { code: 'FORBIDDEN' }, unsent: 1 });
      expect(session.clientId).toBe('client-1');
      expect(server.named('session:join')).toHaveLength(2);
    });

    test('with CLIENT_INVALID joins at once without an id, and sends what it holds under the new one', async () => {
      server.on('session:join', () => emptyJoin('s'));
      const session = clientOf().session('s');
      await session.join();
      session.submit(['x']);
      await eventually('sent', () => server.named('operation:submit').length === 1);
      server.on('session:join', (request) => {
        const isNew = !Object.hasOwn(request as object, 'client');
        const client = { clientId: 'client-2', signature: 'signed', lastClientSeq: 0 };
        return isNew ? emptyJoin('s', { client, resume: 'continue' }) : refusalOf('CLIENT_INVALID');
      });
      server.dropAll();
      await eventually('sent again', () => server.named('operation:submit').length === 2);
      expect(session.clientId).toBe('client-2');
      expect(server.named('session:join').map(({ request }) => request)).toMatchObject([
        { sessionId: 's' },
        { client: { clientId: 'client-1' } },
        { have: { head: { seq: 0, tag: '' } } },
      ]);
    });

    test('with CLIENT_INVALID, and begins anew with a snapshot: what that holds of ours is not sent again', async () => {
      const storage = new MemoryStorage();
      const genesis = { seq: 0, tag: '' };
      const head = { seq: 2, tag: '0123456789abcdef' };
      await storage.save('s/0', {
        version: 1,
        client: { clientId: 'client-1', signature: 'of another secret' },
        after: genesis,
        batches: ['in the snapshot', 'never arrived'].map((operation, index) => {
          return { clientId: 'client-1', clientSeq: index + 1, base: null, operations: [operation] };
        }),
        pending: [],
      });
      const entryOf = (clientId: string, seq: number, operation: string) => {
        return { epoch: 1, seq, clientId, clientSeq: 1, userId: 'u', at: 0, operations: [operation] };
      };
      server.on('session:join', (request) => {
        if (Object.hasOwn(request as object, 'client')) return refusalOf('CLIENT_INVALID');
        return emptyJoin('s', {
          client: { clientId: 'client-2', signature: 'signed', lastClientSeq: 0 },
          head: { epoch: 1, ...head },
          saved: { epoch: 1, ...head },
          snapshot: { ...head, payload: ['by others', 'in the snapshot'] },
          next: head,
        });
      });
      server.on('operation:catch-up', () => ({
        status: 'ok',
        head: { epoch: 1, ...head },
        next: head,
        entries: [entryOf('other', 1, 'by others'), entryOf('client-1', 2, 'in the snapshot')],
        more: false,
      }));
      const session = clientOf({ storage, locks: new MemoryLocks() }).session('s');
      await session.join();
      await eventually('sent', () => server.named('operation:submit').length === 1);
      expect(server.named('operation:submit')[0]?.request).toEqual({
        sessionId: 's',
        clientSeq: 1,
        operations: ['never arrived'],
      });
      expect(session.counts).toEqual({ unsent: 1, ordered: 0, saved: 1 });
    });
  });

  test('[SV3] saved under a newer epoch and with a tag we do not know is not believed before a join has confirmed it', async () => {
    server.on('session:join', () => emptyJoin('s'));
    const session = clientOf().session('s');
    await session.join();
    server.on('session:join', () => emptyJoin('s', { resume: 'continue', head: { epoch: 2, seq: 0, tag: '' } }));
    server.announce('operation:saved', { sessionId: 's', epoch: 2, saved: 0, tag: '0123456789abcdef' });
    await eventually('joined again', () => server.named('session:join').length === 2);
    await untilSynced(session);
    expect(session.savedMark).toEqual({ seq: 0, tag: '' });
  });

  test('[SV3] saved under a newer epoch is believed where our own history has its tag', async () => {
    server.on('session:join', () => emptyJoin('s'));
    const session = clientOf().session('s');
    await session.join();
    server.announce('operation:saved', { sessionId: 's', epoch: 2, saved: 0, tag: '' });
    // A fence: had it asked to join again, that would be under way when the next announcement is heard.
    server.announce('session:renamed', { sessionId: 's', title: 'Heard' });
    await eventually('the title was heard', () => session.info?.title === 'Heard');
    expect(server.named('session:join')).toHaveLength(1);
  });
});

describe('a client of a real server', () => {
  const world = useWorld();

  test('creates sessions and refuses what the server refuses', async () => {
    const client = world().client();
    const session = await client.createSession({ sessionId: 'mine', title: 'Mine', format: 'json' });
    expect(session).toMatchObject({ sessionId: 'mine', title: 'Mine', format: 'json' });
    await expect(client.createSession({ sessionId: 'mine' })).rejects.toMatchObject({ code: 'SESSION_EXISTS' });
  });

  test('carries several sessions on one connection', async () => {
    const ids = await Promise.all([1, 2, 3].map(async () => (await world().createSession('json')).sessionId));
    const client = world().client();
    const sessions = ids.map((id) => client.session(id));
    await Promise.all(sessions.map((session) => session.join()));
    sessions.forEach((session, index) => session.submit([`for ${index}`]));
    await Promise.all(sessions.map(untilSynced));
    for (const [index, id] of ids.entries()) expect(await world().history(id)).toEqual([`for ${index}`]);
    expect(client.session(ids[0] ?? '')).toBe(sessions[0]);
    expect((await world().server.stats()).connections.local).toBe(1);
  });

  test('[ST8] a server that stops in an orderly way and another in its place lose nothing', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    const operations = Array.from({ length: 200 }, (_, index) => index);
    const stopping = (async () => {
      for (const operation of operations) {
        session.submit([operation]);
        await new Promise((resolve) => setImmediate(resolve));
        if (operation === 50) void world().restart();
      }
    })();
    await stopping;
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(operations);
  });

  test('close and destroy leave no connection, timer, request or session', async () => {
    const { sessionId } = await world().createSession('yjs');
    const client = world().client();
    const provider = new FlowYjsProvider(client, sessionId, new Y.Doc());
    await eventually('synced', () => provider.synced);
    provider.doc.getText('content').insert(0, 'x');
    world().disconnect();
    await eventually('waiting to try again', () => client.resources.timers > 0);
    provider.destroy();
    client.close();
    expect(client.resources).toEqual({ sockets: 0, timers: 0, requests: 0, sessions: 0 });
    expect(provider.resources).toEqual({ timers: 0, listeners: 0 });
    expect(client.status).toEqual({ state: 'closed' });
    world().reconnect();
    await expect(client.createSession()).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
  });

  test('a program that closes its client ends by itself', async () => {
    const { sessionId } = await world().createSession('yjs');
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'support', 'closing-program.ts')], {
      env: { ...process.env, URL: world().gateway.url, SESSION_ID: sessionId },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: string[] = [];
    child.stdout.on('data', (text: Buffer) => output.push(text.toString()));
    const [code] = (await once(child, 'exit')) as [number | null];
    expect([code, output.join('')]).toEqual([0, 'closed with {"sockets":0,"timers":0,"requests":0,"sessions":0}\n']);
  });
});
