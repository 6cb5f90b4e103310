import * as Y from 'yjs';
import { Awareness } from 'y-protocols/awareness';
import type { FlowClientOptions } from '../../src/client/flow-client';
import type { FlowError } from '../../src/protocol/errors';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import { FlowYjsProvider, type FlowYjsProviderOptions } from '../../src/client/yjs-provider';
import { eventually } from '../support/eventually';
import { seededRandom } from '../../src/tools/seeded-random';
import { updateOf } from '../support/yjs-bytes';
import { sorted, useWorld } from './support/world';

const world = useWorld();
type AnyProvider = FlowYjsProvider<Awareness | null>;

const providers: AnyProvider[] = [];

afterEach(() => {
  for (const provider of providers.splice(0)) provider.destroy();
});

function provide<Presence extends Awareness | null = Awareness>(
  sessionId: string,
  options: FlowYjsProviderOptions<Presence> & { doc?: Y.Doc; client?: Partial<FlowClientOptions> } = {},
): FlowYjsProvider<Presence> {
  const { doc = new Y.Doc(), client, ...rest } = options;
  const provider = new FlowYjsProvider<Presence>(world().client(client), sessionId, doc, rest);
  providers.push(provider);
  return provider;
}

const textOf = ({ doc }: AnyProvider): Y.Text => doc.getText('content');

const isSettled = (provider: AnyProvider): boolean => provider.synced && provider.unsaved === 0;

/** Somebody has written so much into it that there is a snapshot: more than the server keeps without folding it (500 entries). */
async function folded(sessionId: string): Promise<AnyProvider> {
  const author = provide(sessionId);
  await eventually('synced', () => author.synced);
  for (let index = 0; index < 600; index += 1) {
    textOf(author).insert(0, 'x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await untilEqual(author);
  await eventually('a snapshot', async () => (await world().documents.snapshots.latest(sessionId)) !== null);
  return author;
}

async function untilEqual(...all: AnyProvider[]): Promise<void> {
  await eventually('everything saved', () => all.every(isSettled));
  await eventually('equal documents', () => new Set(all.map((provider) => textOf(provider).toJSON())).size === 1);
}

describe('a Yjs provider', () => {
  test('keeps two documents in sync, whatever types are in them', async () => {
    const { sessionId } = await world().createSession('yjs');
    const one = provide(sessionId);
    const other = provide(sessionId);
    await eventually('both synced', () => one.synced && other.synced);
    textOf(one).insert(0, 'hello');
    other.doc.getMap('settings').set('dark', true);
    other.doc.getXmlFragment('prose').insert(0, [new Y.XmlElement('p')]);
    await untilEqual(one, other);
    await eventually('the map', () => one.doc.getMap('settings').get('dark') === true);
    expect(textOf(other).toJSON()).toBe('hello');
    expect(one.doc.getXmlFragment('prose').toJSON()).toBe('<p></p>');
  });

  test('tells status, sync, unsaved and saved, as other providers do', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId, { connect: false });
    const events: unknown[] = [];
    provider.on('status', ({ status }) => events.push(status));
    provider.on('sync', (isSynced) => events.push(`sync ${isSynced}`));
    provider.on('synced', (isSynced) => events.push(`synced ${isSynced}`));
    provider.on('unsaved', (count) => events.push(`unsaved ${count}`));
    provider.on('saved', () => events.push('saved'));
    expect([provider.status, provider.synced]).toEqual(['disconnected', false]);
    provider.connect();
    await eventually('synced', () => provider.synced);
    textOf(provider).insert(0, 'x');
    expect(provider.unsaved).toBe(1);
    await eventually('saved', () => provider.unsaved === 0);
    expect(events).toEqual(['connecting', 'connected', 'sync true', 'synced true', 'unsaved 1', 'unsaved 0', 'saved']);
    events.length = 0;
    world().disconnect();
    await eventually('disconnected', () => provider.status === 'disconnected');
    expect(events).toEqual(['sync false', 'synced false', 'disconnected']);
    world().reconnect();
    await eventually('synced', () => provider.synced);
    provider.destroy();
    expect([provider.status, provider.synced]).toEqual(['disconnected', false]);
  });

  test('what changes in one turn is one operation, however many transactions it took', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId);
    await eventually('synced', () => provider.synced);
    for (let index = 0; index < 500; index += 1) textOf(provider).insert(index, 'x');
    await untilEqual(provider);
    expect(await world().history(sessionId)).toHaveLength(1);
  });

  test('with a flush interval, what changes within it is one operation', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId, { flushIntervalMs: 100 });
    await eventually('synced', () => provider.synced);
    for (let index = 0; index < 5; index += 1) {
      textOf(provider).insert(0, 'x');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(provider.unsaved).toBe(1);
    await untilEqual(provider);
    expect(await world().history(sessionId)).toHaveLength(1);
  });

  test('[CL4] 1,000 edits on either side of a lost connection converge', async () => {
    const { sessionId } = await world().createSession('yjs');
    const random = seededRandom(1);
    const [one, other] = [provide(sessionId), provide(sessionId)];
    await eventually('both synced', () => one.synced && other.synced);
    textOf(one).insert(0, 'before');
    await untilEqual(one, other);
    world().disconnect();
    await eventually('both offline', () => one.status === 'disconnected' && other.status === 'disconnected');
    for (let index = 0; index < 1_000; index += 1) {
      for (const provider of [one, other]) {
        const text = textOf(provider);
        if (random() < 0.25 && text.length > 10) text.delete(Math.floor(random() * (text.length - 3)), 3);
        else text.insert(Math.floor(random() * text.length), `${index} `);
      }
      // A turn of its own each, so that these are a thousand operations and not one.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(one.unsaved).toBe(1_000);
    world().reconnect();
    await untilEqual(one, other);
    expect(await world().history(sessionId)).toHaveLength(2_001);
    const late = provide(sessionId);
    await untilEqual(late, one);
  });

  test('a document that has content before it is connected is sent, deletions included', async () => {
    const { sessionId } = await world().createSession('yjs');
    const first = provide(sessionId);
    await eventually('synced', () => first.synced);
    textOf(first).insert(0, 'shared');
    await untilEqual(first);
    // The same document, changed while there was no provider: what a browser keeps offline.
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(first.doc));
    doc.getText('content').insert(6, ' and mine');
    doc.getText('content').delete(0, 2);
    const second = provide(sessionId, { doc });
    await untilEqual(first, second);
    expect(textOf(first).toJSON()).toBe('ared and mine');
  });

  test('deletions alone are noticed, too; and where the server lacks nothing, nothing is sent', async () => {
    const { sessionId } = await world().createSession('yjs');
    const first = provide(sessionId);
    await eventually('synced', () => first.synced);
    textOf(first).insert(0, 'abc');
    await untilEqual(first);
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(first.doc));
    const same = provide(sessionId, { doc });
    await untilEqual(first, same);
    expect(await world().history(sessionId)).toHaveLength(1);
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(first.doc));
    other.getText('content').delete(1, 1);
    const second = provide(sessionId, { doc: other });
    await untilEqual(first, same, second);
    expect(textOf(first).toJSON()).toBe('ac');
    expect(await world().history(sessionId)).toHaveLength(2);
  });

  test('[CL2] a join to a folded document fetches only what is lacking, and sends only what the server lacks', async () => {
    const { sessionId } = await world().createSession('yjs');
    const first = await folded(sessionId);
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(first.doc));
    doc.getText('content').insert(0, 'mine ');
    const resets: Array<number | undefined> = [];
    const second = provide(sessionId, { doc, connect: false });
    second.session.on('reset', ({ snapshot }) => resets.push(String(snapshot?.payload).length));
    second.connect();
    await untilEqual(first, second);
    expect(textOf(first).toJSON()).toBe(`mine ${'x'.repeat(600)}`);
    expect(resets).toHaveLength(1);
    // A whole snapshot has the 600 letters in it.
    expect(resets[0]).toBeLessThan(100);
    expect(await world().history(sessionId)).toHaveLength(601);
  });

  test('a snapshot and what was written after it come as one transaction', async () => {
    const { sessionId } = await world().createSession('yjs');
    const first = await folded(sessionId);
    textOf(first).insert(0, 'more ');
    await untilEqual(first);
    const second = provide(sessionId, { connect: false });
    const told: unknown[] = [];
    second.session.on('reset', ({ snapshot }) => told.push(snapshot !== null));
    second.session.on('entries', () => told.push('entries'));
    second.doc.on('afterTransaction', () => told.push(textOf(second).toJSON()));
    second.connect();
    await eventually('synced', () => second.synced);
    expect(told).toEqual([true, `more ${'x'.repeat(600)}`, 'entries']);
  });

  test('what came is not encoded once more, and what an observer writes in answer to it is sent', async () => {
    const { sessionId } = await world().createSession('yjs');
    const one = provide(sessionId);
    const other = provide(sessionId);
    await eventually('both synced', () => one.synced && other.synced);
    const transactions: unknown[] = [];
    // Yjs encodes what it tells next, if anybody listens.
    other.doc.on('afterTransactionCleanup', ({ origin }, { _observers }) =>
      transactions.push([origin === other ? 'theirs' : 'ours', _observers.has('update')]),
    );
    const answered = other.doc.getMap('answers');
    textOf(other).observe((_event, { origin }) => origin === other && answered.set('seen', true));
    textOf(one).insert(0, 'x');
    await eventually('the answer', () => one.doc.getMap('answers').get('seen') === true);
    expect(transactions).toEqual([
      ['theirs', false],
      ['ours', true],
    ]);
  });

  test('[CL2] what somebody wrote who is gone is saved by those who saw it, though the server died with it', async () => {
    const { sessionId } = await world().createSession('yjs');
    const author = provide(sessionId);
    const witness = provide(sessionId, { random: () => 0 });
    await eventually('both synced', () => author.synced && witness.synced);
    world().holdSaves();
    textOf(author).insert(0, 'unsaved');
    await eventually('delivered', () => textOf(witness).toJSON() === 'unsaved');
    author.destroy();
    await world().kill();
    await eventually('saved after all', async () => (await world().history(sessionId)).length === 1);
    const newcomer = provide(sessionId);
    await untilEqual(newcomer, witness);
    expect(textOf(newcomer).toJSON()).toBe('unsaved');
  });

  test('[CL2] after a restored backup the server gets everything from those who still have it', async () => {
    const { sessionId } = await world().createSession('yjs');
    const one = provide(sessionId, { random: () => 0 });
    await eventually('synced', () => one.synced);
    textOf(one).insert(0, 'saved, but the backup is older');
    await untilEqual(one);
    await world().restoreEmptyBackup(sessionId);
    await eventually('synced again', () => one.synced);
    const newcomer = provide(sessionId);
    await eventually('everything', () => expect(textOf(newcomer).toJSON()).toBe('saved, but the backup is older'));
  });

  test.each([1, 2, 3])(
    '[CL2] seed %i: three authors, cuts and killed servers: all documents end equal',
    async (seed) => {
      const random = seededRandom(seed);
      const { sessionId } = await world().createSession('yjs');
      const all = [1, 2, 3].map(() => provide(sessionId, { client: { random }, random: () => 0 }));
      await eventually('all synced', () => all.every(({ synced }) => synced));
      let unsavedAtKills = 0;
      for (let edit = 0; edit < 300; edit += 1) {
        const provider = all[Math.floor(random() * all.length)] ?? provide(sessionId);
        const text = textOf(provider);
        const at = Math.floor(random() * text.length);
        if (random() < 0.3 && text.length > 20) text.delete(at, Math.min(5, text.length - at));
        else text.insert(at, `${edit} `);
        for (let turns = Math.floor(random() * 8); turns > 0; turns -= 1) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (edit % 50 === 25) world().gateway.cut();
        if (edit % 100 === 60) {
          await eventually('all synced', () => all.every(({ synced }) => synced));
          world().holdSaves();
        }
        if (edit % 100 === 80) {
          unsavedAtKills += all.reduce((sum, { session }) => sum + session.counts.ordered, 0);
          await world().kill();
        }
      }
      await untilEqual(...all);
      expect(unsavedAtKills).toBeGreaterThan(0);
      const newcomer = provide(sessionId);
      await untilEqual(newcomer, ...all);
    },
  );

  test('[EO10] a text larger than any operation goes in parts', async () => {
    const { sessionId } = await world().createSession('yjs');
    const [one, other] = [provide(sessionId), provide(sessionId)];
    await eventually('both synced', () => one.synced && other.synced);
    const pasted = 'ä😀b'.repeat(600_000);
    textOf(one).insert(0, pasted);
    await untilEqual(one, other);
    expect(textOf(other).toJSON()).toBe(pasted);
  });

  test('[EO12] every second character of 67,000 deleted at once is saved, and so is what comes after it', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId);
    await eventually('synced', () => provider.synced);
    const text = textOf(provider);
    text.insert(0, 'ab'.repeat(33_500));
    await untilEqual(provider);
    const deletions: number[] = [];
    provider.doc.on('update', (update: Uint8Array) => deletions.push(update.length));
    const refusals: FlowError[] = [];
    provider.on('refused', (error) => refusals.push(error));
    // Yjs itself needs twelve seconds to delete them one by one.
    const every = Array.from({ length: 33_500 }, (_, index) => [2 * index, 1] as const);
    Y.applyUpdate(provider.doc, updateOf([], [[provider.doc.clientID, every]]));
    // Small enough by its bytes.
    expect(Math.max(...deletions)).toBeLessThan(131_072);
    text.insert(0, 'and on');
    await provider.whenSaved();
    expect([refusals, provider.unsaved]).toEqual([[], 0]);
    const newcomer = provide(sessionId);
    await untilEqual(newcomer, provider);
    expect(textOf(newcomer).toJSON()).toBe(`and on${'b'.repeat(33_500)}`);
  });

  test('[EO10] a picture that no operation can carry is told, and once it is taken out everything is saved', async () => {
    const { sessionId } = await world().createSession('yjs');
    const [provider, other] = [provide(sessionId), provide(sessionId)];
    await eventually('synced', () => provider.synced && other.synced);
    const refusals: string[] = [];
    provider.on('refused', ({ code }) => refusals.push(code));
    // An undo manager keeps what it deletes whole.
    const undoing = new Y.UndoManager(provider.doc.getMap('pictures'));
    provider.doc.getMap('pictures').set('one', new Uint8Array(1_048_576));
    textOf(provider).insert(0, 'written meanwhile');
    await eventually('told', () => refusals.length > 0);
    expect(refusals).toEqual(['TOO_LARGE']);
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'TOO_LARGE' });
    undoing.undo();
    await untilEqual(provider, other);
    expect(textOf(other).toJSON()).toBe('written meanwhile');
    undoing.destroy();
  });

  test('[CL4] when no more can be kept it says so, keeps what is in the document, and sends it when there is room', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId, { client: { maxHeldBytes: 2_000 } });
    await eventually('synced', () => provider.synced);
    const full: boolean[] = [];
    provider.on('full', (isFull) => full.push(isFull));
    world().holdSaves();
    for (let index = 0; index < 100; index += 1) {
      textOf(provider).insert(0, `${index} `);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(full).toEqual([true]);
    world().letSave();
    await untilEqual(provider);
    expect(full).toEqual([true, false]);
    const newcomer = provide(sessionId);
    await untilEqual(newcomer, provider);
    expect(textOf(newcomer).length).toBe(290);
  });

  test('[CL4] a stored queue brings unsaved changes back into the document after a reload', async () => {
    const { sessionId } = await world().createSession('yjs');
    const client = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const before = provide(sessionId, { client });
    await eventually('synced', () => before.synced);
    world().disconnect();
    textOf(before).insert(0, 'written offline');
    await eventually('stored', async () => {
      const [key] = client.storage.keys;
      const record = key === undefined ? null : await client.storage.load(key);
      return record !== null && record.pending.length + record.batches.length === 1;
    });
    before.destroy();
    const again = provide(sessionId, { client });
    await eventually('shown before there is a connection', () => textOf(again).toJSON() === 'written offline');
    world().reconnect();
    await untilEqual(again);
    expect(await world().history(sessionId)).toHaveLength(1);
  });

  test('a session that does not exist is told by the event refused', async () => {
    const provider = provide('nowhere', { connect: false });
    const refusals: string[] = [];
    provider.on('refused', ({ code }) => refusals.push(code));
    provider.connect();
    await eventually('refused', () => refusals.length > 0);
    expect(refusals).toEqual(['SESSION_NOT_FOUND']);
    expect(provider.status).toBe('disconnected');
  });
});

describe('awareness', () => {
  const namesAt = ({ awareness }: FlowYjsProvider): string[] =>
    sorted([...(awareness?.getStates().values() ?? [])].flatMap(({ name }) => (name === undefined ? [] : [name])));

  test('[DL9] states reach the others, also those who come later, and go with their owner', async () => {
    const { sessionId } = await world().createSession('yjs');
    const [one, other] = [provide(sessionId), provide(sessionId)];
    await eventually('both synced', () => one.synced && other.synced);
    one.awareness?.setLocalStateField('name', 'one');
    other.awareness?.setLocalStateField('name', 'other');
    await eventually('both here', () => namesAt(one).length === 2 && namesAt(other).length === 2);
    const late = provide(sessionId);
    await eventually('both there', () => namesAt(late).length === 2);
    one.destroy();
    await eventually('one is gone', () => namesAt(late).join() === 'other' && namesAt(other).join() === 'other');
    expect(one.awareness?.getLocalState()).toBeNull();
  });

  test('[DL9] without a connection the others are gone, and with it they are back without having moved', async () => {
    const { sessionId } = await world().createSession('yjs');
    const [one, other] = [provide(sessionId), provide(sessionId)];
    await eventually('both synced', () => one.synced && other.synced);
    one.awareness?.setLocalStateField('name', 'one');
    other.awareness?.setLocalStateField('name', 'other');
    await eventually('both', () => namesAt(one).length === 2 && namesAt(other).length === 2);
    world().disconnect();
    await eventually('alone', () => namesAt(one).join() === 'one' && namesAt(other).join() === 'other');
    world().reconnect();
    await eventually('both again', () => {
      expect(namesAt(one)).toEqual(['one', 'other']);
      expect(namesAt(other)).toEqual(['one', 'other']);
    });
  });

  test('an awareness made elsewhere is used and left alive', async () => {
    const { sessionId } = await world().createSession('yjs');
    const doc = new Y.Doc();
    const awareness = new Awareness(doc);
    const other = provide(sessionId);
    const provider = provide(sessionId, { doc, awareness });
    await eventually('synced', () => provider.synced && other.synced);
    awareness.setLocalStateField('name', 'mine');
    await eventually('seen', () => namesAt(other).join() === 'mine');
    let isDestroyed = false;
    awareness.on('destroy', () => {
      isDestroyed = true;
    });
    provider.destroy();
    await eventually('gone', () => namesAt(other).length === 0);
    expect(isDestroyed).toBe(false);
    awareness.destroy();
  });

  test('awareness can be left out', async () => {
    const { sessionId } = await world().createSession('yjs');
    const provider = provide(sessionId, { awareness: null });
    await eventually('synced', () => provider.synced);
    expect(provider.awareness).toBeNull();
  });
});
