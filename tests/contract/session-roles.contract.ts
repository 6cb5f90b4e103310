import type { Role } from '../../src/protocol/schemas';
import { MAX_ROLES, type SessionRoles } from '../../src/storage/session-roles';
import { sessionRecord, type SharedStore } from '../support/stores';

/** What every keeper of roles promises. */
export function sessionRolesContract(openStore: () => Promise<SharedStore>): void {
  let store: SharedStore;
  let roles: SessionRoles;
  let other: SessionRoles;

  beforeEach(async () => {
    store = await openStore();
    roles = store.one.sessionRoles;
    other = store.other.sessionRoles;
    await store.one.sessionRecords.create(sessionRecord('novel', { createdBy: 'ann', link: 'viewer' }));
  });
  afterEach(() => store.close());

  const NOW = 1_700_000_000_000;
  const give = (userId: string, role: Role | null, at = NOW) => roles.set({ sessionId: 'novel', userId, role }, at);
  const changes = async () =>
    (await store.other.accessChanges.after(0, 100)).map(({ number, at, change }) => ({ number, at, change }));
  const listed = async (userId: string): Promise<string[]> =>
    (await store.other.sessionRecords.list({ limit: 10, userId })).map(({ sessionId }) => sessionId);

  test('who made a session owns it, and the link gives what it was made with', async () => {
    expect(await other.of('novel', 'ann')).toEqual({ role: 'owner', link: 'viewer' });
    expect(await other.of('novel', 'bob')).toEqual({ role: null, link: 'viewer' });
    expect(await other.list('novel')).toEqual({ roles: [{ userId: 'ann', role: 'owner' }], link: 'viewer' });
  });

  test('of a session that does not exist there is nothing, and nothing to be set', async () => {
    expect(await roles.of('nowhere', 'ann')).toBeNull();
    expect(await roles.list('nowhere')).toBeNull();
    expect(await roles.set({ sessionId: 'nowhere', userId: 'ann', role: 'editor' }, NOW)).toEqual({
      status: 'not-found',
    });
    expect(await roles.set({ sessionId: 'nowhere', link: 'editor' }, NOW)).toEqual({ status: 'not-found' });
    expect(await changes()).toEqual([]);
  });

  test('a role that was given is there for every node, with the change that tells of it', async () => {
    expect(await give('bob', 'editor')).toEqual({ status: 'set', number: 1 });
    expect(await give('bob', 'viewer', NOW + 1)).toEqual({ status: 'set', number: 2 });
    expect(await give('cleo', 'commenter', NOW + 2)).toEqual({ status: 'set', number: 3 });
    expect(await other.of('novel', 'bob')).toEqual({ role: 'viewer', link: 'viewer' });
    expect((await other.list('novel'))?.roles).toEqual([
      { userId: 'ann', role: 'owner' },
      { userId: 'bob', role: 'viewer' },
      { userId: 'cleo', role: 'commenter' },
    ]);
    const change = { kind: 'role', sessionId: 'novel' };
    expect(await changes()).toEqual([
      { number: 1, at: NOW, change: { ...change, userId: 'bob' } },
      { number: 2, at: NOW + 1, change: { ...change, userId: 'bob' } },
      { number: 3, at: NOW + 2, change: { ...change, userId: 'cleo' } },
    ]);
  });

  test('a role that was taken away is gone; what was so already is no change', async () => {
    await give('bob', 'editor');
    expect(await give('bob', null)).toEqual({ status: 'set', number: 2 });
    expect(await other.of('novel', 'bob')).toEqual({ role: null, link: 'viewer' });
    for (const [userId, role] of [
      ['bob', null],
      ['ann', 'owner'],
    ] as const) {
      expect(await give(userId, role)).toEqual({ status: 'set', number: null });
    }
    expect(await changes()).toHaveLength(2);
  });

  test('what the link gives is for every node, with the change that tells of it', async () => {
    expect(await roles.set({ sessionId: 'novel', link: 'editor' }, NOW)).toEqual({ status: 'set', number: 1 });
    expect(await roles.set({ sessionId: 'novel', link: 'editor' }, NOW)).toEqual({ status: 'set', number: null });
    expect(await other.of('novel', 'bob')).toEqual({ role: null, link: 'editor' });
    expect((await other.list('novel'))?.link).toBe('editor');
    expect(await store.other.sessionRecords.get('novel')).toMatchObject({ link: 'editor', title: 'About novel' });
    expect(await changes()).toEqual([
      { number: 1, at: NOW, change: { kind: 'role', sessionId: 'novel', userId: null } },
    ]);
  });

  test('a session keeps an owner, also when two who own it take it from each other', async () => {
    for (const role of ['editor', null] as const) expect(await give('ann', role)).toEqual({ status: 'last-owner' });
    await give('bob', 'owner');
    const answers = await Promise.all([
      roles.set({ sessionId: 'novel', userId: 'ann', role: 'editor' }, NOW),
      other.set({ sessionId: 'novel', userId: 'bob', role: 'editor' }, NOW),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['last-owner', 'set']);
    expect((await other.list('novel'))?.roles.map(({ role }) => role).sort()).toEqual(['editor', 'owner']);
  });

  test('a session is listed for those who have a role in it, as long as they have it and it is open', async () => {
    await store.one.sessionRecords.create(sessionRecord('diary', { createdBy: 'bob' }));
    await give('bob', 'viewer');
    expect([await listed('ann'), await listed('bob'), await listed('cleo')]).toEqual([
      ['novel'],
      ['diary', 'novel'],
      [],
    ]);
    await give('bob', null);
    expect(await listed('bob')).toEqual(['diary']);
    await give('cleo', 'editor');
    await store.one.sessionRecords.update('novel', { closedAt: NOW });
    expect([await listed('ann'), await listed('cleo')]).toEqual([[], []]);
    await give('cleo', 'viewer');
    expect(await listed('cleo')).toEqual([]);
  });

  test('roles are not copied: a copy is owned by who made it', async () => {
    await give('bob', 'editor');
    await store.one.sessionRecords.copy('novel', sessionRecord('sequel', { createdBy: 'cleo', link: 'none' }));
    expect(await other.list('sequel')).toEqual({ roles: [{ userId: 'cleo', role: 'owner' }], link: 'none' });
  });

  test('the roles of a session are bounded; those that are there can be changed', async () => {
    for (let count = 1; count < MAX_ROLES; count += 100) {
      await Promise.all(
        Array.from({ length: Math.min(100, MAX_ROLES - count) }, (_, index) => give(`user ${count + index}`, 'viewer')),
      );
    }
    expect((await other.list('novel'))?.roles).toHaveLength(MAX_ROLES);
    expect(await give('one more', 'viewer')).toEqual({ status: 'too-many' });
    expect(await give('user 7', 'editor')).toMatchObject({ status: 'set' });
    await give('user 7', null);
    expect(await give('one more', 'viewer')).toMatchObject({ status: 'set' });
  });

  test('users have any name, and sessions ids that begin alike', async () => {
    await store.one.sessionRecords.create(sessionRecord('novel.2', { createdBy: 'zoe' }));
    for (const userId of ['nul \u0000', 'ü 😀', '', 'x'.repeat(5_000)]) {
      await give(userId, 'commenter');
      expect(await other.of('novel', userId)).toEqual({ role: 'commenter', link: 'viewer' });
    }
    expect((await other.list('novel'))?.roles).toHaveLength(5);
    expect((await other.list('novel.2'))?.roles).toEqual([{ userId: 'zoe', role: 'owner' }]);
  });
}
