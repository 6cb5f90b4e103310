import * as Y from 'yjs';
import { YjsKnowledge } from '../../src/client/yjs-knowledge';
import { mergeUpdates, splitUpdate } from '../../src/client/yjs-updates';
import { seededRandom } from '../support/random';

/** Documents of several replicas with text, maps, formats and deletions, exchanged at random. */
function randomDocs(seed: number, edits: number): { docs: Y.Doc[]; updates: Uint8Array[] } {
  const random = seededRandom(seed);
  const updates: Uint8Array[] = [];
  const docs = [1, 2, 3].map((clientID) => {
    const doc = new Y.Doc();
    doc.clientID = clientID;
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'exchange') updates.push(update);
    });
    return doc;
  });
  const pick = (): Y.Doc => docs[Math.floor(random() * docs.length)] ?? new Y.Doc();
  for (let edit = 0; edit < edits; edit += 1) {
    const doc = pick();
    const text = doc.getText('content');
    const at = Math.floor(random() * (text.length + 1));
    const roll = random();
    if (roll < 0.5) text.insert(at, ['ab', '好', 'ä', 'long text '.repeat(20)][Math.floor(random() * 4)] ?? '');
    else if (roll < 0.7) text.delete(Math.min(at, Math.max(0, text.length - 2)), Math.min(2, text.length));
    else if (roll < 0.8) doc.getMap('map').set(`key${Math.floor(random() * 5)}`, { edit });
    else if (roll < 0.9) doc.getArray('list').push([edit, 'item']);
    else Y.applyUpdate(doc, Y.encodeStateAsUpdate(pick()), 'exchange');
  }
  return { docs, updates };
}

function contentOf(doc: Y.Doc): string {
  // The order of a map's keys is the order in which they came, and means nothing.
  const map = Object.entries(doc.getMap('map').toJSON()).toSorted(([one], [other]) => one.localeCompare(other));
  return JSON.stringify([doc.getText('content').toJSON(), map, doc.getArray('list').toJSON()]);
}

function docOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}

describe('splitting an update', () => {
  test.each([1, 2, 3, 4, 5])('seed %i: the parts are small and make the same document', (seed) => {
    const { updates } = randomDocs(seed, 400);
    const whole = Y.encodeStateAsUpdate(docOf(updates));
    const parts = splitUpdate(whole, 500);
    expect(parts.length).toBeGreaterThan(3);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(500);
    expect(contentOf(docOf(parts))).toBe(contentOf(docOf([whole])));
    expect(Y.encodeStateVector(docOf(parts))).toEqual(Y.encodeStateVector(docOf([whole])));
  });

  test('one long text is divided between characters, not within them', () => {
    const doc = new Y.Doc();
    const text = '😀x'.repeat(5_000);
    doc.getText('content').insert(0, text);
    const parts = splitUpdate(Y.encodeStateAsUpdate(doc), 1_001);
    expect(parts.length).toBeGreaterThan(20);
    expect(docOf(parts).getText('content').toJSON()).toBe(text);
  });

  test('260,000 edits are divided in seconds', () => {
    const doc = new Y.Doc();
    const text = doc.getText('content');
    // Written backwards, no edit can be merged with the one before.
    doc.transact(() => {
      for (let edit = 0; edit < 260_000; edit += 1) text.insert(0, 'x');
    });
    const update = Y.encodeStateAsUpdate(doc);
    const startedAt = performance.now();
    const parts = splitUpdate(update, 524_288);
    // The square of it took most of a minute.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(parts.length).toBeGreaterThan(3);
    expect(docOf(parts).getText('content').length).toBe(260_000);
  });

  test('what is small enough stays as it is', () => {
    const update = Y.encodeStateAsUpdate(docOf([]));
    expect(splitUpdate(update, 100)).toEqual([update]);
  });

  test('an update with a hole keeps it', () => {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on('update', (update: Uint8Array) => updates.push(update));
    for (let index = 0; index < 60; index += 1) doc.getText('content').insert(index, 'some words ');
    const withHole = Y.mergeUpdates(updates.filter((_, index) => index !== 20));
    const parts = splitUpdate(withHole, 100);
    expect(
      docOf([...parts, updates[20] ?? withHole])
        .getText('content')
        .toJSON(),
    ).toBe(doc.getText('content').toJSON());
  });
});

describe('merging updates', () => {
  test.each([1, 2, 50, 2_000])('%i updates become one with the same effect', (count) => {
    const { updates } = randomDocs(7, count);
    expect(contentOf(docOf([mergeUpdates(updates)]))).toBe(contentOf(docOf(updates)));
  });

  test('none become one that changes nothing', () => {
    expect(contentOf(docOf([mergeUpdates([])]))).toBe(contentOf(new Y.Doc()));
  });
});

describe('what another is known to have', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: what it lacks makes it whole, and then it lacks nothing', (seed) => {
    const random = seededRandom(seed + 100);
    const { docs, updates } = randomDocs(seed, 200);
    const mine = docOf(docs.map((doc) => Y.encodeStateAsUpdate(doc)));
    // Out of order and with holes, which a history with lost entries has.
    const shown = updates.filter(() => random() < 0.7).sort(() => random() - 0.5);
    const known = new YjsKnowledge(null, null);
    for (const update of shown) known.add(update);
    const lacked = known.lackedOf(mine);
    if (!lacked) throw new Error('nothing lacked');
    expect(contentOf(docOf([...shown, lacked]))).toBe(contentOf(mine));
    known.add(lacked);
    expect(known.lackedOf(mine)).toBeNull();
  });

  test('a snapshot that is only a difference counts as the whole it was cut from', () => {
    const { docs } = randomDocs(3, 100);
    const server = docOf(docs.map((doc) => Y.encodeStateAsUpdate(doc)));
    const mine = docOf([Y.encodeStateAsUpdate(docs[0] ?? server)]);
    const difference = Y.diffUpdate(Y.encodeStateAsUpdate(server), Y.encodeStateVector(mine));
    expect(new YjsKnowledge(difference, Y.encodeStateVector(server)).lackedOf(mine)).toBeNull();
    mine.getText('content').insert(0, 'mine');
    expect(new YjsKnowledge(difference, Y.encodeStateVector(server)).lackedOf(mine)).not.toBeNull();
  });

  test('a deletion of something known is lacking until it is shown', () => {
    const doc = new Y.Doc();
    doc.getText('content').insert(0, 'abc');
    const known = new YjsKnowledge(Y.encodeStateAsUpdate(doc), null);
    expect(known.lackedOf(doc)).toBeNull();
    doc.getText('content').delete(1, 1);
    const lacked = known.lackedOf(doc);
    expect(lacked).not.toBeNull();
    if (lacked) known.add(lacked);
    expect(known.lackedOf(doc)).toBeNull();
  });
});
