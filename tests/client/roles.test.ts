import * as Y from 'yjs';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import type { FlowSession } from '../../src/client/session';
import type { LinkAccess, Role } from '../../src/protocol/schemas';
import { eventually } from '../support/eventually';
import { untilSynced, useWorld } from './support/world';

const world = useWorld();

/** Nobody points, and no timer of somebody else's runs on. */
const QUIET = { awareness: null };

const until = (session: FlowSession, state: string): Promise<void> =>
  eventually(`${state}, but is ${JSON.stringify(session.status)}`, () => session.status.state === state);

/** A session of olga's that is shared with eddy, and both in it. */
async function shared(format: 'yjs' | 'json', role: Role, link: LinkAccess = 'none') {
  const client = world().client({ token: 'olga' });
  const { sessionId } = await client.createSession({ format, link });
  const owner = client.session(sessionId);
  await owner.join();
  await owner.setRole('eddy', role);
  return { owner, sessionId };
}

describe('a session', () => {
  test('knows the own role, and is told when it becomes another one', async () => {
    const { owner, sessionId } = await shared('json', 'editor');
    const session = world().client({ token: 'eddy' }).session(sessionId);
    const heard: Role[] = [];
    session.on('role', (role) => heard.push(role));
    expect([session.role, session.isReadOnly]).toEqual([null, false]);
    await session.join();
    expect([session.role, session.isReadOnly, session.status.state]).toEqual(['editor', false, 'synced']);
    await owner.setRole('eddy', 'viewer');
    await until(session, 'read-only');
    await owner.setRole('eddy', 'commenter');
    await eventually('the next role', () => session.role === 'commenter');
    expect([session.isReadOnly, session.status.state]).toEqual([true, 'read-only']);
    await owner.setRole('eddy', 'owner');
    await untilSynced(session);
    expect(heard).toEqual(['editor', 'viewer', 'commenter', 'owner']);
    await eventually('the others see it', () =>
      owner.participants.some(({ userId, role }) => userId === 'eddy' && role === 'owner'),
    );
  });

  test('shares: lists, gives and takes roles, and sets the link', async () => {
    const { owner, sessionId } = await shared('json', 'editor');
    const olga = { userId: 'olga', role: 'owner' };
    expect(await owner.listRoles()).toEqual({ roles: [{ userId: 'eddy', role: 'editor' }, olga], link: 'none' });
    expect(await owner.setRole('eddy', 'none')).toEqual({ roles: [olga], link: 'none' });
    expect(await owner.setLink('commenter')).toEqual({ roles: [olga], link: 'commenter' });
    const reader = await world().joined(sessionId, { token: 'anybody' });
    expect(reader.role).toBe('commenter');
    await expect(reader.listRoles()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(reader.setLink('editor')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('[CL1] what is written when the role no longer allows it is not dropped: it is told, kept, and sent when it may be', async () => {
    const { owner, sessionId } = await shared('json', 'editor');
    const session = await world().joined(sessionId, { token: 'eddy' });
    await owner.setRole('eddy', 'viewer');
    await until(session, 'read-only');
    session.submit(['late']);
    await until(session, 'refused');
    expect(session.status).toMatchObject({ reason: { code: 'FORBIDDEN' }, isReading: true, unsent: 1 });
    expect(session.heldOperations()).toEqual([{ operation: 'late', state: 'unsent' }]);
    await owner.setRole('eddy', 'editor');
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(['late']);
  });

  test('[CL1] what was refused can be let go of, and then there is nothing but reading', async () => {
    const { sessionId } = await shared('json', 'viewer');
    const session = await world().joined(sessionId, { token: 'eddy' });
    session.submit(['mine']);
    await until(session, 'refused');
    expect(session.discardRefused()).toEqual(['mine']);
    await until(session, 'read-only');
    expect(await world().history(sessionId)).toEqual([]);
  });

  test('that was taken away is refused, with everything that is held', async () => {
    const { owner, sessionId } = await shared('json', 'editor');
    const session = await world().joined(sessionId, { token: 'eddy' });
    await owner.setRole('eddy', 'none');
    await until(session, 'refused');
    expect(session.status).toMatchObject({ reason: { code: 'FORBIDDEN' }, isReading: false });
    session.submit(['too late']);
    expect(session.heldOperations()).toHaveLength(1);
    await owner.setRole('eddy', 'editor');
    await session.join();
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(['too late']);
  });
});

describe('a provider', () => {
  test('says when an editor must be read-only, reads on, and writes again', async () => {
    const { owner, sessionId } = await shared('yjs', 'viewer', 'editor');
    await owner.setLink('none');
    const doc = new Y.Doc();
    const provider = new FlowYjsProvider(world().client({ token: 'eddy' }), sessionId, doc, QUIET);
    const events: unknown[] = [];
    provider.on('read-only', (isReadOnly) => events.push(isReadOnly));
    provider.on('refused', ({ code }) => events.push(code));
    await eventually('synced', () => provider.synced);
    expect([provider.isReadOnly, provider.status]).toEqual([true, 'connected']);
    const other = new FlowYjsProvider(world().client({ token: 'olga' }), sessionId, new Y.Doc(), QUIET);
    other.doc.getText('content').insert(0, 'read me');
    await other.whenSaved();
    await eventually('the text', () => doc.getText('content').toJSON() === 'read me');
    await owner.setRole('eddy', 'editor');
    await eventually('it may write', () => !provider.isReadOnly);
    doc.getText('content').insert(0, 'do ');
    await provider.whenSaved();
    expect(events).toEqual([true, false]);
  });

  test('[CL1] what is written although it is read-only is told, and not lost', async () => {
    const { owner, sessionId } = await shared('yjs', 'viewer');
    const doc = new Y.Doc();
    const provider = new FlowYjsProvider(world().client({ token: 'eddy' }), sessionId, doc, QUIET);
    const refused: string[] = [];
    provider.on('refused', ({ code }) => refused.push(code));
    await eventually('synced', () => provider.synced);
    doc.getText('content').insert(0, 'graffiti');
    await eventually('it is told', () => refused.length > 0);
    expect([refused, provider.unsaved]).toEqual([['FORBIDDEN'], 1]);
    await owner.setRole('eddy', 'editor');
    await eventually('it is saved', () => provider.unsaved === 0);
    expect(await world().history(sessionId)).toHaveLength(1);
  });

  test('after a fork a reader leaves it to those who may to bring back what others wrote', async () => {
    const { owner, sessionId } = await shared('yjs', 'viewer');
    const writer = new FlowYjsProvider(world().client({ token: 'olga' }), sessionId, new Y.Doc(), QUIET);
    const reader = new FlowYjsProvider(world().client({ token: 'eddy' }), sessionId, new Y.Doc(), {
      ...QUIET,
      random: () => 0,
    });
    const refused: string[] = [];
    reader.on('refused', ({ code }) => refused.push(code));
    await eventually('synced', () => reader.synced && writer.synced);
    world().holdSaves();
    writer.doc.getText('content').insert(0, 'unsaved');
    await eventually('the text', () => reader.doc.getText('content').toJSON() === 'unsaved');
    await world().kill();
    await eventually('both are back', () => reader.synced && writer.unsaved === 0);
    expect(refused).toEqual([]);
    expect(await world().history(sessionId)).toHaveLength(1);
    expect(owner.status.state).toBe('synced');
  });
});
