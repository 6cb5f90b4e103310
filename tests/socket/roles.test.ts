import type { WireClient } from '../support/wire-client';
import type { Role } from '../../src/protocol/schemas';
import { FlowError } from '../../src/protocol/errors';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { useClusters } from '../support/cluster';
import { eventually } from '../support/eventually';
import { RestlessEditor } from '../support/restless-editor';
import { type TestServer, useServers } from '../support/server';

// Before the servers are.
const editors: RestlessEditor[] = [];
afterEach(() => Promise.all(editors.splice(0).map((editor) => editor.stop())));

const startCluster = useClusters();
const startServer = useServers();

/** What is promised between the acknowledgement and the last operation that another instance takes. */
const PROMISED_MS = 1_000;
/** Refusals that must be seen before anybody believes that the door is shut. */
const ENOUGH = 50;

async function newSession(owner: WireClient, roles: Record<string, Role>): Promise<string> {
  const { session } = await owner.demand('session:create', { format: 'json', link: 'none' });
  const { sessionId } = session;
  for (const [userId, role] of Object.entries(roles)) await owner.demand('role:set', { sessionId, userId, role });
  return sessionId;
}

/** An editor who has begun to type, and whose strokes are taken. */
async function typing(server: TestServer, sessionId: string, user = 'eddy'): Promise<RestlessEditor> {
  const editor = RestlessEditor.start(await server.connect({ user }), sessionId);
  editors.push(editor);
  await eventually(
    'strokes to be taken',
    () => editor.attempts.length > ENOUGH && editor.attempts.at(-1)?.answer === 'ok',
  );
  return editor;
}

const enoughAfter = (editor: RestlessEditor, moment: number): Promise<void> =>
  eventually('enough strokes to judge by', () => editor.after(moment).length > ENOUGH);

describe('[AC3] an editor who is made viewer gets no further operation in', () => {
  const takeAway: Array<[string, (owner: WireClient, sessionId: string) => Promise<unknown>, string]> = [
    [
      'made viewer',
      (owner, sessionId) => owner.demand('role:set', { sessionId, userId: 'eddy', role: 'viewer' }),
      'FORBIDDEN',
    ],
    [
      'sent away',
      (owner, sessionId) => owner.demand('role:set', { sessionId, userId: 'eddy', role: 'none' }),
      'NOT_JOINED',
    ],
  ];

  test.each(takeAway)('%s on the same instance, from the acknowledgement on', async (_what, change, refusal) => {
    const server = await startServer({ isLimited: false });
    const owner = await server.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor' });
    const editor = await typing(server, sessionId);
    await change(owner, sessionId);
    const acknowledgedAt = performance.now();
    await enoughAfter(editor, acknowledgedAt);
    expect(editor.answersAfter(acknowledgedAt)).toEqual([refusal]);
  });

  test.each(takeAway)('%s on another instance, within a second', async (_what, change, refusal) => {
    const cluster = await startCluster({ size: 2, isLimited: false });
    const [one, other] = cluster.instances.map(({ server }) => server) as [TestServer, TestServer];
    const owner = await one.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor', ella: 'editor' });
    const editor = await typing(other, sessionId);
    const kept = await typing(other, sessionId, 'ella');
    await change(owner, sessionId);
    const heldFrom = performance.now() + PROMISED_MS;
    await enoughAfter(editor, heldFrom);
    expect(editor.answersAfter(heldFrom)).toEqual([refusal]);
    expect(kept.answersAfter(heldFrom)).toEqual(['ok']);
  });

  test('when the link is taken away, those it let in are sent away, those with a role stay', async () => {
    const cluster = await startCluster({ size: 2, isLimited: false });
    const [one, other] = cluster.instances.map(({ server }) => server) as [TestServer, TestServer];
    const owner = await one.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { ella: 'editor' });
    await owner.demand('role:set', { sessionId, link: true, role: 'editor' });
    const editor = await typing(other, sessionId);
    const kept = await typing(other, sessionId, 'ella');
    await owner.demand('role:set', { sessionId, link: true, role: 'none' });
    const heldFrom = performance.now() + PROMISED_MS;
    await enoughAfter(editor, heldFrom);
    expect(editor.answersAfter(heldFrom)).toEqual(['NOT_JOINED']);
    expect(kept.answersAfter(heldFrom)).toEqual(['ok']);
  });

  test('the control: an instance that does not hear of it goes on taking them', async () => {
    const store = new MemoryDocumentStore();
    const { accessChanges } = store;
    const after = accessChanges.after.bind(accessChanges);
    let isDeaf = false;
    // It is asked, and answers, and leaves out what matters.
    accessChanges.after = async (...args) => (isDeaf ? [] : after(...args));
    const server = await startServer({ store, isLimited: false });
    const owner = await server.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor' });
    const editor = await typing(server, sessionId);
    isDeaf = true;
    await store.sessionRoles.set({ sessionId, userId: 'eddy', role: 'viewer' }, 0);
    const heldFrom = performance.now() + PROMISED_MS;
    await enoughAfter(editor, heldFrom);
    expect(editor.answersAfter(heldFrom)).toEqual(['ok']);
  });

  test('while changes of access cannot be read, nobody writes; the others are not sent away, and go on when they can', async () => {
    const store = new MemoryDocumentStore();
    const { accessChanges } = store;
    const after = accessChanges.after.bind(accessChanges);
    let isAway = false;
    accessChanges.after = (...args) => (isAway ? Promise.reject(new FlowError('STORE_UNAVAILABLE')) : after(...args));
    const server = await startServer({ store, isLimited: false });
    const owner = await server.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor', ella: 'editor' });
    const [editor, kept] = [await typing(server, sessionId), await typing(server, sessionId, 'ella')];
    isAway = true;
    // As another instance would that can still write.
    await store.sessionRoles.set({ sessionId, userId: 'eddy', role: 'viewer' }, 0);
    const heldFrom = performance.now() + PROMISED_MS;
    await enoughAfter(editor, heldFrom);
    expect(editor.answersAfter(heldFrom)).toEqual(['STORE_UNAVAILABLE']);
    expect(kept.answersAfter(heldFrom)).toEqual(['STORE_UNAVAILABLE']);
    isAway = false;
    await eventually('the one who may to write again', () => kept.attempts.at(-1)?.answer === 'ok');
    expect(editor.answersAfter(heldFrom)).not.toContain('ok');
  });
});

describe('[AC3] what those who are connected hear', () => {
  test('who it concerns is told the new role on every instance, the others see it among the participants', async () => {
    const cluster = await startCluster({ size: 2 });
    const [one, other] = cluster.instances.map(({ server }) => server) as [TestServer, TestServer];
    const owner = await one.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor', vera: 'viewer' });
    const [eddy, vera] = [await other.connect({ user: 'eddy' }), await one.connect({ user: 'vera' })];
    for (const client of [owner, eddy, vera]) await client.demand('session:join', { sessionId });
    await owner.demand('role:set', { sessionId, userId: 'eddy', role: 'commenter' });
    expect(await eddy.next('session:role')).toEqual({ sessionId, role: 'commenter' });
    await owner.demand('role:set', { sessionId, userId: 'eddy', role: 'owner' });
    expect(await eddy.next('session:role')).toEqual({ sessionId, role: 'owner' });
    await eddy.next('session:participants', ({ joined }) =>
      joined.some(({ userId, role }) => userId === 'eddy' && role === 'owner'),
    );
    expect([owner.all('session:role'), vera.all('session:role')]).toEqual([[], []]);
  });

  test('who has no role any more hears that the session is closed to them, and then nothing of it', async () => {
    const server = await startServer();
    const owner = await server.connect({ user: 'olga' });
    const sessionId = await newSession(owner, { eddy: 'editor' });
    const eddy = await server.connect({ user: 'eddy' });
    for (const client of [owner, eddy]) await client.demand('session:join', { sessionId });
    await owner.demand('role:set', { sessionId, userId: 'eddy', role: 'none' });
    expect(await eddy.next('session:closed')).toEqual({ sessionId, reason: 'forbidden' });
    await owner.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['a secret'] });
    await owner.next('operation:batch');
    await eddy.fence();
    expect(eddy.all('operation:batch')).toEqual([]);
    expect(await eddy.refusal('session:join', { sessionId })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  test('a role that was given lets in at once, and one that grows lets write on the connection there is', async () => {
    const server = await startServer();
    const owner = await server.connect({ user: 'olga' });
    const sessionId = await newSession(owner, {});
    const vera = await server.connect({ user: 'vera' });
    expect(await vera.refusal('session:join', { sessionId })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await owner.demand('role:set', { sessionId, userId: 'vera', role: 'viewer' });
    expect((await vera.demand('session:join', { sessionId })).role).toBe('viewer');
    await owner.demand('role:set', { sessionId, userId: 'vera', role: 'editor' });
    await vera.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
  });

  test('an administrator who shows a token that is none any more loses what that gave', async () => {
    const server = await startServer({
      hooks: { authenticate: ({ token }) => ({ userId: 'adam', isAdministrator: token === 'administrator' }) },
    });
    const adam = await server.connect({ auth: { token: 'administrator' } });
    const { session } = await (await server.connect({ auth: { token: 'administrator' } })).demand('session:create', {
      sessionId: 'of-adam',
      format: 'json',
    });
    const { sessionId } = session;
    await adam.demand('role:set', { sessionId, userId: 'eve', role: 'owner' });
    await adam.demand('role:set', { sessionId, userId: 'adam', role: 'viewer' });
    expect((await adam.demand('session:join', { sessionId })).role).toBe('owner');
    await adam.demand('auth:renew', { token: 'plain' });
    expect(await adam.next('session:role')).toEqual({ sessionId, role: 'viewer' });
    expect(await adam.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('[AC2] who a session is shared with', () => {
  test('the owner hands it over; the last one stays', async () => {
    const server = await startServer();
    const [olga, otto] = [await server.connect({ user: 'olga' }), await server.connect({ user: 'otto' })];
    const sessionId = await newSession(olga, {});
    const last = { code: 'FORBIDDEN', message: 'A session keeps an owner: make somebody else one first.' };
    expect(await olga.refusal('role:set', { sessionId, userId: 'olga', role: 'editor' })).toMatchObject(last);
    await olga.demand('role:set', { sessionId, userId: 'otto', role: 'owner' });
    expect(await olga.demand('role:set', { sessionId, userId: 'olga', role: 'none' })).toMatchObject({
      roles: [{ userId: 'otto', role: 'owner' }],
      link: 'none',
    });
    expect(await olga.refusal('role:set', { sessionId, userId: 'olga', role: 'owner' })).toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
    expect(await otto.refusal('role:set', { sessionId, userId: 'otto', role: 'none' })).toMatchObject(last);
  });

  test('the stronger of the own role and the link holds', async () => {
    const server = await startServer();
    const [olga, vera] = [await server.connect({ user: 'olga' }), await server.connect({ user: 'vera' })];
    const sessionId = await newSession(olga, { vera: 'viewer' });
    const roleOf = async () => (await vera.demand('session:join', { sessionId })).role;
    for (const [link, role] of [
      ['none', 'viewer'],
      ['commenter', 'commenter'],
      ['editor', 'editor'],
      ['viewer', 'viewer'],
    ] as const) {
      await olga.demand('role:set', { sessionId, link: true, role: link });
      expect(await roleOf()).toBe(role);
    }
  });

  test("with names that are nobody's a new session is open to all; where users are known, to nobody else", async () => {
    const open = await startServer();
    const known = await startServer({ hooks: { authenticate: ({ token }) => ({ userId: token ?? '' }) } });
    for (const [server, link] of [
      [open, 'editor'],
      [known, 'none'],
    ] as const) {
      const ann = await server.connect({ user: 'ann' });
      const { session } = await ann.demand('session:create', {});
      expect((await ann.demand('role:list', { sessionId: session.sessionId })).link).toBe(link);
    }
  });
});
