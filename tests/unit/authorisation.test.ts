import type { Authorize, User } from '../../src/access/access';
import { AccessFollower } from '../../src/access/access-follower';
import { Authorisation } from '../../src/access/authorisation';
import { MemoryRoleCache } from '../../src/access/memory-role-cache';
import { RoleChanges } from '../../src/access/role-changes';
import { silentLogger } from '../../src/lib/logger';
import { FlowError } from '../../src/protocol/errors';
import type { SessionInfo } from '../../src/protocol/schemas';
import { MemoryCollaborationService } from '../../src/sessions/memory-collaboration-service';
import type { SessionRoles } from '../../src/storage/session-roles';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { ManualClock } from '../support/manual-clock';

const TTL_MS = 300_000;

const userOf = (userId: string, isAdministrator = false): User => ({
  userId,
  isAdministrator,
  deviceId: null,
  expiresAt: null,
  issuedAt: 0,
});

const followers: AccessFollower[] = [];
afterEach(() => Promise.all(followers.splice(0).map((follower) => follower.stop())));

interface Shared {
  readonly store: MemoryDocumentStore;
  readonly clock: ManualClock;
  readonly cache: MemoryRoleCache;
}

function makeShared(): Shared {
  const clock = new ManualClock();
  return { store: new MemoryDocumentStore(), clock, cache: new MemoryRoleCache({ clock, ttlMs: TTL_MS }) };
}

/** One instance; several may share a store and a cache. */
async function makeInstance({ store, clock, cache }: Shared, authorize?: Authorize) {
  const isAway = { store: false, roles: false };
  const changes = {
    after: async (number: number, limit: number) => {
      if (isAway.store) throw new FlowError('STORE_UNAVAILABLE');
      return store.accessChanges.after(number, limit);
    },
    append: unneeded,
    prune: async () => {},
  };
  const counts = { reads: 0 };
  const held: { gate: Promise<void> | undefined } = { gate: undefined };
  const roles: SessionRoles = {
    of: async (...args) => {
      counts.reads += 1;
      if (isAway.roles) throw new FlowError('STORE_UNAVAILABLE');
      const found = await store.sessionRoles.of(...args);
      await held.gate;
      return found;
    },
    list: (sessionId) => store.sessionRoles.list(sessionId),
    set: (...args) => store.sessionRoles.set(...args),
  };
  const follower = new AccessFollower({ changes, hints: null, clock, log: silentLogger, pollMs: 500 });
  followers.push(follower);
  const roleChanges = new RoleChanges({ follower, clock });
  const collaboration = new MemoryCollaborationService({ records: store.sessionRecords, clock });
  const authorisation = new Authorisation({
    collaboration,
    roles,
    accessChanges: store.accessChanges,
    cache,
    changes: roleChanges,
    follower,
    authorize,
    defaultLink: 'none',
    clock,
  });
  await follower.start();
  const roleOf = async (user: User, session: SessionInfo) => (await authorisation.judge(user, session)).role;
  return { authorisation, collaboration, counts, held, isAway, follower, roleChanges, roleOf };
}

const unneeded = (): never => {
  throw new Error('not needed here');
};

async function make(authorize?: Authorize) {
  const shared = makeShared();
  const instance = await makeInstance(shared, authorize);
  const session = await instance.collaboration.create({ format: 'json', createdBy: 'olga', link: 'viewer' });
  return { ...shared, ...instance, session };
}

test('[AC4] however many ask at the same time, the store is asked once, and then for 300 seconds not again', async () => {
  const { roleOf, session, counts, clock } = await make();
  const asked = Array.from({ length: 100 }, () => roleOf(userOf('olga'), session));
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['owner']));
  expect(await roleOf(userOf('olga'), session)).toBe('owner');
  expect(counts.reads).toBe(1);
  await clock.advanceInSteps(TTL_MS - 1_000, 500);
  await roleOf(userOf('olga'), session);
  expect(counts.reads).toBe(1);
  await clock.advanceInSteps(1_000, 500);
  await roleOf(userOf('olga'), session);
  expect(counts.reads).toBe(2);
});

test('[AC4] a change makes every row from before it worthless, for whom it concerns and for nobody else', async () => {
  const { authorisation, roleOf, session, counts } = await make();
  const { sessionId } = session;
  expect([await roleOf(userOf('ann'), session), await roleOf(userOf('bob'), session)]).toEqual(['viewer', 'viewer']);
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  expect([await roleOf(userOf('ann'), session), await roleOf(userOf('bob'), session)]).toEqual(['editor', 'viewer']);
  expect(counts.reads).toBe(3);
  await authorisation.set({ sessionId, link: 'none' });
  expect([await roleOf(userOf('ann'), session), await roleOf(userOf('bob'), session)]).toEqual(['editor', null]);
  expect(counts.reads).toBe(5);
});

test('[AC4] what was read before a change, and comes after it, opens nothing: it is read again', async () => {
  const { authorisation, roleOf, session, held, counts } = await make();
  const { sessionId } = session;
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  let open = (): void => {};
  held.gate = new Promise((resolve) => (open = resolve));
  const early = authorisation.judge(userOf('ann'), session);
  await new Promise((resolve) => setImmediate(resolve));
  held.gate = undefined;
  await authorisation.set({ sessionId, userId: 'ann', role: 'viewer' });
  // The reading that is under way is not shared …
  expect(await roleOf(userOf('ann'), session)).toBe('viewer');
  open();
  const verdict = await early;
  // … its answer is known to be outdated …
  expect(verdict.role).toBe('editor');
  expect(authorisation.isOutdated(verdict, sessionId, 'ann')).toBe(true);
  // … and what it put is not believed.
  expect(await roleOf(userOf('ann'), session)).toBe('viewer');
  expect(counts.reads).toBeGreaterThanOrEqual(2);
});

test('[AC4] an instance that has not heard of a change believes what it knew for a second, and not a moment longer', async () => {
  const shared = makeShared();
  const [one, other] = [await makeInstance(shared), await makeInstance(shared)];
  const session = await one.collaboration.create({ format: 'json', createdBy: 'olga', link: 'none' });
  const { sessionId } = session;
  await one.authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  await shared.clock.advanceInSteps(500, 100);
  expect(await other.roleOf(userOf('ann'), session)).toBe('editor');
  other.isAway.store = true;
  await one.authorisation.set({ sessionId, userId: 'ann', role: null });
  expect(await one.roleOf(userOf('ann'), session)).toBeNull();
  await shared.clock.advanceInSteps(1_000, 100);
  await shared.clock.advanceInSteps(1, 1);
  expect(other.authorisation.isFresh()).toBe(false);
  await expect(other.roleOf(userOf('ann'), session)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  other.isAway.store = false;
  expect(await other.roleOf(userOf('ann'), session)).toBeNull();
});

test('[AC4] a store that cannot say what somebody is lets nobody in, and is asked again', async () => {
  const { roleOf, session, isAway } = await make();
  isAway.roles = true;
  for (let times = 0; times < 2; times += 1) {
    await expect(roleOf(userOf('olga'), session)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  }
  isAway.roles = false;
  expect(await roleOf(userOf('olga'), session)).toBe('owner');
});

test('who made a change knows it at once, also when the list cannot be read just then', async () => {
  const { authorisation, roleOf, session, isAway, roleChanges } = await make();
  const { sessionId } = session;
  const changed: Array<[string, string | null]> = [];
  roleChanges.onChanged((...change) => changed.push(change));
  expect(await roleOf(userOf('ann'), session)).toBe('viewer');
  isAway.store = true;
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  expect(changed).toEqual([[sessionId, 'ann']]);
  expect(await roleOf(userOf('ann'), session)).toBe('editor');
});

test('each change is told once, whoever says it first; what was so already is none', async () => {
  const { authorisation, session, roleChanges, clock } = await make();
  const { sessionId } = session;
  const changed: Array<string | null> = [];
  roleChanges.onChanged((_, userId) => changed.push(userId));
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  await authorisation.set({ sessionId, link: 'viewer' });
  await authorisation.set({ sessionId, link: 'none' });
  await clock.advanceInSteps(1_000, 100);
  expect(changed).toEqual(['ann', null]);
});

test('what is remembered of changes is forgotten after an hour', async () => {
  const { authorisation, session, roleChanges, clock, collaboration } = await make();
  const { sessionId } = session;
  await authorisation.set({ sessionId, userId: 'ann', role: 'editor' });
  expect(roleChanges.lastOf(sessionId, 'ann')).toBe(1);
  clock.advance(3_600_001);
  const another = await collaboration.create({ format: 'json', createdBy: 'olga', link: 'none' });
  await authorisation.set({ sessionId: another.sessionId, link: 'viewer' });
  expect(roleChanges.lastOf(sessionId, 'ann')).toBe(0);
  expect(roleChanges.lastOf(another.sessionId, 'anybody')).toBe(2);
});

test("[AC1] an application's own rule is asked each time, and told what roles and link give", async () => {
  const given: unknown[] = [];
  const { roleOf, session, authorisation } = await make((user, { createdBy }, role) => {
    given.push([user.userId, createdBy, role]);
    return user.userId === 'staff' ? 'owner' : role === 'viewer' ? null : role;
  });
  const users = [userOf('olga'), userOf('staff'), userOf('ann'), userOf('root', true)];
  const roles = [];
  for (const user of users) roles.push(await roleOf(user, session));
  expect(roles).toEqual(['owner', 'owner', null, 'owner']);
  expect(given).toEqual([
    ['olga', 'olga', 'owner'],
    ['staff', 'olga', 'viewer'],
    ['ann', 'olga', 'viewer'],
    ['root', 'olga', 'owner'],
  ]);
  await expect(authorisation.admit(userOf('ann'), session.sessionId, 'read')).rejects.toMatchObject({
    code: 'SESSION_NOT_FOUND',
  });
});

test('a closed session is not there for anybody, administrators included', async () => {
  const { authorisation, session, collaboration } = await make();
  await collaboration.close(session.sessionId);
  for (const user of [userOf('olga'), userOf('root', true)]) {
    await expect(authorisation.admit(user, session.sessionId, 'read')).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
  }
});
