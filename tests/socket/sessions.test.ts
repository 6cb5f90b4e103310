import * as Y from 'yjs';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import type { Replies, Role } from '../../src/protocol/schemas';
import { createSession, yjsText, yjsUpdates } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { Follower } from '../support/follower';
import { useServers } from '../support/server';
import type { WireClient } from '../support/wire-client';

type Page = Replies['operation:catch-up'];

const start = useServers();

describe('session:create', () => {
  test('answers the session, and it can be joined', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const { session } = await ada.demand('session:create', { sessionId: 'notes', title: 'Notes', format: 'json' });
    expect(session).toEqual({
      sessionId: 'notes',
      title: 'Notes',
      format: 'json',
      createdBy: 'ada',
      createdAt: expect.any(Number),
      updatedAt: session.createdAt,
    });
    expect((await ada.demand('session:join', { sessionId: 'notes' })).session).toEqual(session);
  });

  test('without anything said makes a Yjs session with an id of its own', async () => {
    const server = await start();
    const ada = await server.connect();
    const { session } = await ada.demand('session:create', {});
    expect(session).toMatchObject({ format: 'yjs', title: 'Untitled', createdBy: expect.stringMatching(/^guest-/) });
    await ada.demand('session:join', { sessionId: session.sessionId });
  });

  test('an id is taken once', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    await ada.demand('session:create', { sessionId: 'notes', format: 'json' });
    expect(await ada.refusal('session:create', { sessionId: 'notes', format: 'yjs' })).toMatchObject({
      code: 'SESSION_EXISTS',
      action: 'stop',
    });
  });
});

describe('session:join', () => {
  test('[CL2] a first join starts at nothing, with a signed client id of its own', async () => {
    const server = await start();
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const reply = await ada.demand('session:join', { sessionId });
    expect(reply).toMatchObject({
      client: { clientId: expect.stringMatching(/^[\w-]{20}$/), signature: expect.any(String), lastClientSeq: 0 },
      role: 'owner',
      head: { seq: 0, tag: '' },
      saved: { seq: 0, tag: '' },
      resume: 'start',
      entries: [],
      next: GENESIS,
      more: false,
      awareness: {},
    });
    const other = await bob.demand('session:join', { sessionId });
    expect(other.client.clientId).not.toBe(reply.client.clientId);
    expect(other.role).toBe('editor');
  });

  test('[EO11] who comes back with its client id is known by its last clientSeq', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const { client } = await ada.demand('session:join', { sessionId });
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] });
    ada.close();
    const again = await server.connect({ user: 'ada' });
    const { clientId, signature } = client;
    const reply = await again.demand('session:join', { sessionId, client: { clientId, signature } });
    expect(reply.client).toEqual({ clientId, signature, lastClientSeq: 2 });
    expect(await again.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x', 'y'] })).toMatchObject({
      seq: 2,
      duplicate: true,
    });
  });

  test('a session that nobody made is not found', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    expect(await ada.refusal('session:join', { sessionId: 'nobody' })).toMatchObject({
      code: 'SESSION_NOT_FOUND',
      action: 'stop',
    });
  });

  test('[CL2] a JSON snapshot is where a new reader starts, with what came after it', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const author = await Follower.join(ada, sessionId);
    for (let clientSeq = 1; clientSeq <= 3; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: [`op-${clientSeq}`] });
    }
    await author.reach(3);
    await author.reachSaved(3);
    const at = author.markAt(2);
    const payload = { text: 'two operations', list: [1, { deep: null }] };
    await ada.demand('session:snapshot', { sessionId, ...at, payload });
    const bob = await server.connect({ user: 'bob' });
    const reply = await bob.demand('session:join', { sessionId });
    expect(reply).toMatchObject({ resume: 'start', snapshot: { ...at, payload }, more: false });
    expect(reply.entries.map(({ operations }) => operations)).toEqual([['op-3']]);
  });

  test('[ST10] what a JSON snapshot makes unneeded goes when it is old enough', async () => {
    const store = new MemoryDocumentStore();
    const server = await start({ store, config: { historyDays: 0 } });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const author = await Follower.join(ada, sessionId);
    for (let clientSeq = 1; clientSeq <= 3; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: [`op-${clientSeq}`] });
    }
    await author.reachSaved(3);
    const { at: writtenAt } = (await store.operationLog.readAfter(sessionId, 2, 1))[0] ?? { at: 0 };
    await eventually('that was a while ago', () => Date.now() > writtenAt);
    await ada.demand('session:snapshot', { sessionId, ...author.markAt(2), payload: 'two operations' });
    expect((await store.operationLog.readAfter(sessionId, 0, 1_000)).map(({ seq }) => seq)).toEqual([3]);
    const bob = await server.connect({ user: 'bob' });
    expect((await bob.demand('session:join', { sessionId })).entries).toMatchObject([{ operations: ['op-3'] }]);
  });

  test('[ST9] [CL2] a Yjs session is folded, and a reader with a state vector gets only what it lacks', async () => {
    const server = await start({ config: { snapshotEntries: 20 } });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada, 'yjs');
    await Follower.join(ada, sessionId);
    const updates = yjsUpdates(...Array.from({ length: 40 }, (_, index) => `${index} `));
    for (const [index, update] of updates.entries()) {
      await ada.demand('operation:submit', { sessionId, clientSeq: index + 1, operations: [update] });
    }
    const bob = await server.connect({ user: 'bob' });
    await eventually('there is a snapshot', async () => {
      expect((await bob.demand('session:join', { sessionId })).snapshot).toBeDefined();
    });
    const whole = await bob.demand('session:join', { sessionId });
    const parts = [
      whole.snapshot?.payload as string,
      ...whole.entries.flatMap(({ operations }) => operations as string[]),
    ];
    expect(yjsText(parts)).toBe(yjsText(updates));
    expect(whole.snapshot?.seq).toBe(40 - whole.entries.length);

    const known = new Y.Doc();
    for (const update of updates.slice(0, 15)) Y.applyUpdate(known, Buffer.from(update, 'base64'));
    const stateVector = Buffer.from(Y.encodeStateVector(known)).toString('base64');
    const rest = await bob.demand('session:join', { sessionId, stateVector });
    const [lacking, everything] = [String(rest.snapshot?.payload), String(whole.snapshot?.payload)];
    expect(lacking.length).toBeLessThan(everything.length);
    Y.applyUpdate(known, Buffer.from(lacking, 'base64'));
    for (const { operations } of rest.entries) {
      for (const update of operations) Y.applyUpdate(known, Buffer.from(update as string, 'base64'));
    }
    expect(known.getText('content').toJSON()).toBe(yjsText(updates));
    expect(Y.decodeStateVector(Buffer.from(rest.stateVector ?? '', 'base64')).size).toBe(1);
  });
});

describe('session:leave', () => {
  test('who has left hears nothing more and may not write', async () => {
    const server = await start();
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    for (const client of [ada, bob]) await client.demand('session:join', { sessionId });
    await ada.demand('session:leave', { sessionId });
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 1, operations: [1] })).toMatchObject({
      code: 'NOT_JOINED',
      action: 'rejoin',
    });
    expect(await ada.refusal('session:leave', { sessionId })).toMatchObject({ code: 'NOT_JOINED' });
    await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['unheard'] });
    await bob.next('operation:batch');
    await ada.fence();
    expect(ada.all('operation:batch')).toEqual([]);
  });

  test('a connection that leaves one session stays in the others', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const [left, kept] = [await createSession(ada), await createSession(ada)];
    for (const sessionId of [left, kept]) await ada.demand('session:join', { sessionId });
    await ada.demand('session:leave', { sessionId: left });
    await ada.demand('operation:submit', { sessionId: kept, clientSeq: 1, operations: ['x'] });
    expect((await ada.next('operation:batch')).sessionId).toBe(kept);
  });
});

describe('participants', () => {
  test('a joiner is told who is here, and those here are told of it', async () => {
    const server = await start();
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const first = await ada.demand('session:join', { sessionId });
    const adaIs = { connectionId: ada.connectionId, clientId: first.client.clientId, userId: 'ada', role: 'owner' };
    expect(first.participants).toEqual([adaIs]);
    const second = await bob.demand('session:join', { sessionId });
    const bobIs = { connectionId: bob.connectionId, clientId: second.client.clientId, userId: 'bob', role: 'editor' };
    expect(second.participants).toEqual([adaIs, bobIs]);
    await ada.next('session:participants', ({ joined }) => joined.some(({ userId }) => userId === 'bob'));
    expect(ada.all('session:participants').flatMap(({ joined }) => joined)).toContainEqual(bobIs);
    bob.close();
    const { left } = await ada.next('session:participants', (change) => change.left.length > 0);
    expect(left).toEqual([bobIs]);
    expect((await ada.demand('session:join', { sessionId })).participants).toHaveLength(1);
  });

  test('many who come together are announced together', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    const crowd = await Promise.all(
      Array.from({ length: 30 }, (_, index) => server.connect({ user: `user-${index}` })),
    );
    const since = performance.now();
    await Promise.all(crowd.map((client) => client.demand('session:join', { sessionId })));
    await eventually('all were announced', () => {
      const joined = ada.all('session:participants').flatMap((change) => change.joined);
      expect(new Set(joined.map(({ userId }) => userId)).size).toBe(31);
    });
    const announcementsPerMs = 1 / 50;
    const most = 2 + Math.ceil((performance.now() - since) * announcementsPerMs);
    expect(ada.all('session:participants').length).toBeLessThanOrEqual(Math.min(most, 30));
  });

  test('[DL8] the lease of a connection that is there is renewed', async () => {
    const leaseMs = 300;
    const server = await start({ config: { participantLeaseMs: leaseMs } });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    const since = performance.now();
    await eventually('several leases have passed', () => performance.now() - since > leaseMs * 4);
    const { participants } = await bob.demand('session:join', { sessionId });
    expect(participants.map(({ userId }) => userId).sort()).toEqual(['ada', 'bob']);
    expect(ada.all('session:participants').flatMap(({ left }) => left)).toEqual([]);
  });
});

describe('one connection per client', () => {
  test('CLIENT_REPLACED: a newer connection of the same client takes over, and the older one hears of it', async () => {
    const server = await start();
    const [older, newer] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'ada' })];
    const sessionId = await createSession(older);
    const { client } = await older.demand('session:join', { sessionId });
    const credentials = { clientId: client.clientId, signature: client.signature };
    await newer.demand('session:join', { sessionId, client: credentials });
    expect(await older.next('session:closed')).toEqual({ sessionId, reason: 'replaced' });
    const refused = await older.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['late'] });
    expect(refused).toMatchObject({ code: 'CLIENT_REPLACED', action: 'stop' });
    await newer.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['mine'] });
    await newer.next('operation:batch');
    await older.fence();
    expect(older.all('operation:batch')).toEqual([]);
    expect((await newer.demand('session:join', { sessionId, client: credentials })).participants).toHaveLength(1);
  });

  test('CLIENT_REPLACED: who joins again takes over in turn', async () => {
    const server = await start();
    const [one, two] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'ada' })];
    const sessionId = await createSession(one);
    const { client } = await one.demand('session:join', { sessionId });
    const credentials = { clientId: client.clientId, signature: client.signature };
    await two.demand('session:join', { sessionId, client: credentials });
    await one.demand('session:join', { sessionId, client: credentials });
    expect(await two.next('session:closed')).toEqual({ sessionId, reason: 'replaced' });
    await one.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
    await one.next('operation:batch');
  });

  test('one connection may come back as another client', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const first = await ada.demand('session:join', { sessionId });
    const second = await ada.demand('session:join', { sessionId });
    expect(second.client.clientId).not.toBe(first.client.clientId);
    expect(second.participants).toHaveLength(1);
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
    expect((await ada.next('operation:batch')).entries[0]?.clientId).toBe(second.client.clientId);
    await ada.fence();
    expect(ada.all('operation:batch')).toHaveLength(1);
  });
});

describe('[DL1] a joiner that has to page', () => {
  /** More than one page of history, of which the server has only the last entry at hand. */
  async function longSession() {
    const server = await start({ config: { ringEntries: 1 } });
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const author = await Follower.join(ada, sessionId);
    for (let clientSeq = 1; clientSeq <= 8; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'.repeat(250_000)] });
    }
    await author.reachSaved(8);
    return { server, ada, bob, sessionId, author };
  }

  /** Reads on to the end, and answers what came last; `atPage` sees those before. */
  async function lastPage(client: WireClient, sessionId: string, after: Mark, atPage: (page: Page) => void = () => {}) {
    let page = await client.demand('operation:catch-up', { sessionId, after });
    while (page.more) {
      atPage(page);
      page = await client.demand('operation:catch-up', { sessionId, after: page.next });
    }
    return page;
  }

  const usersOf = (participants: ReadonlyArray<{ userId: string }> = []): string[] =>
    participants.map(({ userId }) => userId).sort();

  test('hears with its last page who is there by then, and where they point', async () => {
    const { server, ada, bob, sessionId, author } = await longSession();
    const dora = await server.connect({ user: 'dora' });
    await dora.demand('session:join', { sessionId });
    await ada.demand('awareness:update', { sessionId, awarenessId: '1', clock: 1, state: 'before' });
    const joined = await bob.demand('session:join', { sessionId });
    expect(joined).toMatchObject({ more: true, awareness: { 1: { clock: 1, state: 'before' } } });
    expect(usersOf(joined.participants)).toEqual(['ada', 'bob', 'dora']);

    const carl = await server.connect({ user: 'carl' });
    await carl.demand('session:join', { sessionId });
    await dora.demand('session:leave', { sessionId });
    await ada.demand('awareness:update', { sessionId, awarenessId: '1', clock: 2, state: 'after' });
    // Those in the room have heard all of it.
    await ada.next('session:participants', ({ left }) => left.some(({ userId }) => userId === 'dora'));
    await ada.next('awareness:update', ({ states }) => states['1']?.state === 'after');
    const page = await bob.demand('operation:catch-up', { sessionId, after: joined.next, limit: 1 });
    expect(page.more).toBe(true);
    expect(page).not.toHaveProperty('participants');
    expect(page).not.toHaveProperty('awareness');
    const last = await lastPage(bob, sessionId, page.next);
    expect(last).toMatchObject({ more: false, next: author.head, awareness: { 1: { clock: 2, state: 'after' } } });
    expect(usersOf(last.participants)).toEqual(['ada', 'bob', 'carl']);
    expect(bob.heard).toEqual([]);

    // From here on it is told.
    await carl.demand('session:leave', { sessionId });
    await bob.next('session:participants', ({ left }) => left.some(({ userId }) => userId === 'carl'));
  });

  test('hears with its last page what was saved meanwhile, and what the session is called now', async () => {
    const { server, ada, bob, sessionId, author } = await longSession();
    const joined = await bob.demand('session:join', { sessionId });
    const submitted = await ada.demand('operation:submit', { sessionId, clientSeq: 9, operations: ['y'] });
    await author.reachSaved(submitted.seq);
    const renamed = await fetch(`${server.url}/api/sessions/${sessionId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', authorization: 'Bearer ada' },
      body: JSON.stringify({ title: 'New' }),
    });
    expect(renamed.status).toBe(200);
    await ada.next('session:renamed');
    let pages = 0;
    const last = await lastPage(bob, sessionId, joined.next, (page) => {
      pages += 1;
      expect(page).not.toHaveProperty('saved');
      expect(page).not.toHaveProperty('session');
    });
    expect(pages).toBeGreaterThan(0);
    expect(last).toMatchObject({ session: { sessionId, title: 'New' } });
    expect(last.saved).toEqual({ epoch: last.head.epoch, ...author.head });
    expect(joined.saved.seq).toBeLessThan(author.head.seq);
    expect(bob.heard).toEqual([]);
  });

  test('who is in already reads the past, hears nothing of that again, and goes on listening', async () => {
    const { ada, sessionId, author } = await longSession();
    const page = await ada.demand('operation:catch-up', { sessionId, after: GENESIS });
    expect(page.more).toBe(true);
    const submitted = await ada.demand('operation:submit', { sessionId, clientSeq: 9, operations: ['y'] });
    await author.reach(submitted.seq);
    const last = await lastPage(ada, sessionId, page.next);
    expect(last).not.toHaveProperty('participants');
    expect(author.faults).toEqual([]);
  });
});

describe('roles', () => {
  const rolesOf = (roles: Record<string, Role>) => ({
    hooks: { authorize: ({ userId }: { userId: string }) => roles[userId] ?? null },
  });

  test.each(['viewer', 'commenter'] as const)('a %s reads along but may not write', async (role) => {
    const server = await start(rolesOf({ ada: 'editor', eve: role }));
    const [ada, eve] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'eve' })];
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    const reader = await Follower.join(eve, sessionId);
    expect(reader.reply.role).toBe(role);
    const refused = { code: 'FORBIDDEN', action: 'stop' };
    expect(await eve.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['graffiti'] })).toMatchObject(
      refused,
    );
    expect(await eve.refusal('session:snapshot', { sessionId, ...GENESIS, payload: 'graffiti' })).toMatchObject(
      refused,
    );
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['text'] });
    await reader.reach(1);
    expect(reader.operations).toEqual(['text']);
    await eve.demand('awareness:update', { sessionId, awarenessId: '1', clock: 1, state: { reading: true } });
  });

  test('who has no role does not learn that the session exists', async () => {
    const server = await start(rolesOf({ ada: 'owner' }));
    const [ada, eve] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'eve' })];
    const sessionId = await createSession(ada);
    const hidden = await eve.refusal('session:join', { sessionId });
    expect(hidden).toEqual(await eve.refusal('session:join', { sessionId: 'nobody' }));
  });

  test('an authorize hook that fails is INTERNAL with an id, and nothing of the fault', async () => {
    const server = await start({
      hooks: {
        authorize: () => {
          throw new Error('the password of the database is hunter2');
        },
      },
    });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const refused = await ada.refusal('session:join', { sessionId });
    expect(refused).toMatchObject({ code: 'INTERNAL', errorId: expect.stringMatching(/^[0-9a-f]+$/) });
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });
});

describe('the handshake', () => {
  test('a name is needed that is one', async () => {
    const server = await start();
    for (const token of ['a/b', 'x'.repeat(65), '\u0000', 7, { name: 'ada' }, ['ada']]) {
      await expect(server.connect({ auth: { token } })).rejects.toMatchObject({
        data: { code: 'UNAUTHENTICATED', action: 'stop' },
      });
    }
    expect((await server.stats()).connections.local).toBe(0);
  });

  test('another protocol version is refused', async () => {
    const server = await start();
    for (const clientVersion of [2, 0, '1', null]) {
      await expect(server.connect({ auth: { clientVersion } })).rejects.toMatchObject({
        data: { code: 'VERSION_UNSUPPORTED', action: 'stop' },
      });
    }
    await server.connect({ auth: { clientVersion: 1 } });
  });

  test('an authenticate hook decides; its null is UNAUTHENTICATED, its fault is INTERNAL', async () => {
    const server = await start({
      hooks: {
        authenticate: ({ token }) => {
          if (token === 'boom') throw new Error('secret');
          return token === 'key' ? { userId: 'ada' } : null;
        },
      },
    });
    await expect(server.connect({ user: 'wrong' })).rejects.toMatchObject({ data: { code: 'UNAUTHENTICATED' } });
    await expect(server.connect({ user: 'boom' })).rejects.toMatchObject({ data: { code: 'INTERNAL' } });
    const ada = await server.connect({ user: 'key' });
    const sessionId = await createSession(ada);
    expect((await ada.demand('session:join', { sessionId })).participants[0]?.userId).toBe('ada');
  });
});

describe('changes from outside', () => {
  const asAda = { headers: { authorization: 'Bearer ada', 'content-type': 'application/json' } };

  test('session:renamed: those here hear of a new title', async () => {
    const server = await start();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    const body = JSON.stringify({ title: 'Better' });
    const response = await fetch(`${server.url}/api/sessions/${sessionId}`, { ...asAda, method: 'PATCH', body });
    expect(response.status).toBe(200);
    expect(await ada.next('session:renamed')).toEqual({ sessionId, title: 'Better' });
    expect((await ada.demand('session:join', { sessionId })).session.title).toBe('Better');
  });

  test('session:closed: everyone is sent away once all is saved, and nobody comes back', async () => {
    const server = await start();
    const [ada, bob] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'bob' })];
    const sessionId = await createSession(ada);
    const readers = [await Follower.join(ada, sessionId), await Follower.join(bob, sessionId)];
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['last words'] });
    const response = await fetch(`${server.url}/api/sessions/${sessionId}`, { ...asAda, method: 'DELETE' });
    expect(response.status).toBe(204);
    for (const client of [ada, bob])
      expect(await client.next('session:closed')).toEqual({ sessionId, reason: 'closed' });
    for (const reader of readers) expect([reader.operations, reader.saved]).toEqual([['last words'], 1]);
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 2, operations: ['too late'] })).toMatchObject({
      code: 'NOT_JOINED',
    });
    expect(await bob.refusal('session:join', { sessionId })).toMatchObject({
      code: 'SESSION_NOT_FOUND',
      action: 'stop',
    });
  });

  test('session:closed: one session can be closed while another is never all saved', async () => {
    const store = new FaultyStore(new MemoryDocumentStore());
    store.saveMs = 10;
    const server = await start({ store, config: { saveIntervalMs: 0 } });
    const ada = await server.connect({ user: 'ada' });
    const [closing, busy] = [await createSession(ada), await createSession(ada)];
    for (const sessionId of [closing, busy]) await ada.demand('session:join', { sessionId });
    let isWriting = true;
    const writing = (async () => {
      for (let clientSeq = 1; isWriting; clientSeq += 1) {
        await ada.demand('operation:submit', { sessionId: busy, clientSeq, operations: ['x'] });
      }
    })();
    await ada.demand('operation:submit', { sessionId: closing, clientSeq: 1, operations: ['last words'] });
    const response = await fetch(`${server.url}/api/sessions/${closing}`, { ...asAda, method: 'DELETE' });
    expect(response.status).toBe(204);
    expect((await ada.next('session:closed')).sessionId).toBe(closing);
    isWriting = false;
    await writing;
    expect(await store.operationLog.head(closing)).toMatchObject({ seq: 1 });
  });
});
