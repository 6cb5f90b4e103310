import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { eventually } from '../support/eventually';
import { untilSynced, useWorld } from './support/world';

// What @lexical/yjs asks of a provider, as it writes it.

interface LexicalUserState {
  anchorPos: null | Y.RelativePosition;
  color: string;
  focusing: boolean;
  focusPos: null | Y.RelativePosition;
  name: string;
  awarenessData: object;
  [key: string]: unknown;
}

interface LexicalAwareness {
  getLocalState: () => LexicalUserState | null;
  getStates: () => Map<number, LexicalUserState>;
  off: (type: 'update', cb: () => void) => void;
  on: (type: 'update', cb: () => void) => void;
  setLocalState: (state: LexicalUserState | null) => void;
  setLocalStateField: (field: string, value: unknown) => void;
}

interface LexicalProvider {
  awareness: LexicalAwareness;
  connect(): void | Promise<void>;
  disconnect(): void;
  off(type: 'sync', cb: (isSynced: boolean) => void): void;
  off(type: 'update', cb: (update: unknown) => void): void;
  off(type: 'status', cb: (event: { status: string }) => void): void;
  off(type: 'reload', cb: (doc: Y.Doc) => void): void;
  on(type: 'sync', cb: (isSynced: boolean) => void): void;
  on(type: 'status', cb: (event: { status: string }) => void): void;
  on(type: 'update', cb: (update: unknown) => void): void;
  on(type: 'reload', cb: (doc: Y.Doc) => void): void;
}

/** What bindings for y-websocket and Hocuspocus use: CodeMirror's, ProseMirror's, Tiptap's, BlockNote's, Quill's, Monaco's. */
interface UsualProvider {
  readonly doc: Y.Doc;
  readonly document: Y.Doc;
  readonly awareness: Awareness;
  readonly synced: boolean;
  readonly status: string;
  connect(): void;
  disconnect(): void;
  destroy(): void;
  on(type: 'synced', cb: (isSynced: boolean) => void): void;
  once(type: 'synced', cb: (isSynced: boolean) => void): void;
  off(type: 'synced', cb: (isSynced: boolean) => void): void;
}

const world = useWorld();

/** An editor as Lexical's hook makes one: it listens, connects, and takes everything back when the page goes. */
class LexicalEditor {
  readonly told: string[] = [];
  readonly #provider: LexicalProvider;
  readonly #onSync = (isSynced: boolean): void => void this.told.push(`sync ${isSynced}`);
  readonly #onStatus = ({ status }: { status: string }): void => void this.told.push(status);
  readonly #onReload = (): void => void this.told.push('reload');

  constructor(provider: LexicalProvider) {
    this.#provider = provider;
  }

  open(name: string): void {
    const { awareness } = this.#provider;
    this.#provider.on('reload', this.#onReload);
    this.#provider.on('status', this.#onStatus);
    this.#provider.on('sync', this.#onSync);
    const state = { anchorPos: null, focusPos: null, color: 'red', focusing: true, name, awarenessData: {} };
    awareness.setLocalState(state);
    void this.#provider.connect();
  }

  get names(): string[] {
    return [...this.#provider.awareness.getStates().values()].map(({ name }) => name).toSorted();
  }

  close(): void {
    this.#provider.disconnect();
    this.#provider.off('reload', this.#onReload);
    this.#provider.off('status', this.#onStatus);
    this.#provider.off('sync', this.#onSync);
  }
}

const isSettled = (provider: FlowYjsProvider): boolean => provider.synced && provider.unsaved === 0;

describe("a provider that is taken for Lexical's", () => {
  test('syncs two documents and their cursors, leaves, and goes on with what was written meanwhile', async () => {
    const { sessionId } = await world().createSession('yjs');
    const [first, second] = [1, 2].map(
      () =>
        new FlowYjsProvider<Awareness & LexicalAwareness>(world().client(), sessionId, new Y.Doc(), { connect: false }),
    );
    if (!first || !second) throw new Error('there are two');
    const [one, other] = [new LexicalEditor(first), new LexicalEditor(second)];
    one.open('one');
    other.open('other');
    first.doc.get('root', Y.XmlText).insert(0, 'written by one');
    await eventually('the text', () => second.doc.get('root', Y.XmlText).toString() === 'written by one');
    await eventually('both names', () => {
      expect([one.names, other.names]).toEqual([
        ['one', 'other'],
        ['one', 'other'],
      ]);
    });
    await eventually('saved', () => isSettled(first) && isSettled(second));
    one.close();
    await eventually('one is gone', () => other.names.join() === 'other');
    expect(one.told).toEqual(['connecting', 'connected', 'sync true', 'sync false', 'disconnected']);
    first.doc.get('root', Y.XmlText).insert(0, 'alone: ');
    second.doc.get('root', Y.XmlText).insert(14, ', and on');
    await eventually('the other is saved', () => isSettled(second));
    expect([first.status, first.unsaved, first.doc.get('root', Y.XmlText).toString()]).toEqual([
      'disconnected',
      1,
      'alone: written by one',
    ]);
    one.told.length = 0;
    one.open('one again');
    await eventually('equal', () => {
      const texts = [first, second].map(({ doc }) => doc.get('root', Y.XmlText).toString());
      expect(texts).toEqual(['alone: written by one, and on', 'alone: written by one, and on']);
    });
    await eventually('seen again', () => expect(other.names).toEqual(['one again', 'other']));
    expect(one.told).toEqual(['connecting', 'connected', 'sync true']);
    first.destroy();
    second.destroy();
    expect([first.resources, second.resources]).toEqual([
      { timers: 0, listeners: 0 },
      { timers: 0, listeners: 0 },
    ]);
  });

  test('may be connected, disconnected and connected in one turn, as React does it', async () => {
    const { sessionId } = await world().createSession('yjs');
    const client = world().client();
    const provider = new FlowYjsProvider(client, sessionId, new Y.Doc(), { connect: false });
    provider.connect();
    provider.disconnect();
    provider.connect();
    provider.doc.getText('content').insert(0, 'x');
    await eventually('saved', () => isSettled(provider));
    provider.connect();
    provider.disconnect();
    await client.request('session:create', {});
    expect([provider.status, provider.session.status.state]).toEqual(['disconnected', 'idle']);
    provider.destroy();
  });
});

describe('a provider that is taken for that of y-websocket, or for Hocuspocus’s', () => {
  test('has the same surface, and tells once what is asked for once', async () => {
    const { sessionId } = await world().createSession('yjs');
    const doc = new Y.Doc();
    const provider = new FlowYjsProvider(world().client(), sessionId, doc);
    const usual: UsualProvider = provider;
    const told: string[] = [];
    const never = (): void => void told.push('never');
    usual.once('synced', (isSynced) => told.push(`once ${isSynced}`));
    usual.once('synced', never);
    usual.on('synced', (isSynced) => told.push(`always ${isSynced}`));
    usual.off('synced', never);
    await eventually('synced', () => usual.synced);
    usual.disconnect();
    expect(told).toEqual(['once true', 'always true', 'always false']);
    expect([usual.doc, usual.document, usual.awareness.doc, usual.status]).toEqual([doc, doc, doc, 'disconnected']);
    usual.destroy();
  });
});

/** Without leaving the turn, in which no answer can come. */
async function untilAsked(client: FlowClient, count = 1): Promise<void> {
  for (let step = 0; client.resources.requests < count; step += 1) {
    if (step === 20) throw new Error(`${client.resources.requests} asked`);
    await Promise.resolve();
  }
}

describe('a session that is left', () => {
  test('while its join is under way, and joined again, is joined once and as one client', async () => {
    const { sessionId } = await world().createSession('json');
    const client = world().client();
    await client.request('session:create', {});
    const session = client.session(sessionId);
    const given = session.join();
    given.catch(() => {});
    await untilAsked(client);
    session.leave();
    const joined = session.join();
    await expect(given).rejects.toMatchObject({ code: 'NOT_JOINED' });
    // The first is to be answered before another one is asked.
    await expect(untilAsked(client, 2)).rejects.toThrow('1 asked');
    expect(session.status.state).toBe('connecting');
    await joined;
    session.submit(['x']);
    await untilSynced(session);
    expect(session.participants.map(({ clientId }) => clientId)).toEqual([session.clientId]);
    expect(await world().history(sessionId)).toEqual(['x']);
  });

  test('while its join is under way is not in when that is answered', async () => {
    const { sessionId } = await world().createSession('json');
    const other = await world().joined(sessionId);
    const client = world().client();
    await client.request('session:create', {});
    const session = client.session(sessionId);
    session.join().catch(() => {});
    await untilAsked(client);
    session.leave();
    await eventually('answered', () => client.resources.requests === 0);
    await eventually('gone again', () => other.participants.length === 1);
    expect(session.status).toEqual({ state: 'idle' });
  });

  test('keeps what it holds, and what is submitted meanwhile, for the next time', async () => {
    const { sessionId } = await world().createSession('json');
    const session = await world().joined(sessionId);
    world().holdSaves();
    await session.submit(['a']).whenOrdered();
    session.leave();
    session.submit(['b']);
    expect(session.counts).toEqual({ unsent: 1, ordered: 1, saved: 0 });
    world().letSave();
    await session.join();
    await untilSynced(session);
    expect(await world().history(sessionId)).toEqual(['a', 'b']);
  });
});
