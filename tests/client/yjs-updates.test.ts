import * as Y from 'yjs';
import { YjsKnowledge } from '../../src/client/yjs-knowledge';
import { toBase64 } from '../../src/client/base64';
import { divideRefused, mergeUpdates, splitUpdate } from '../../src/client/yjs-updates';
import { demandYjsUpdate } from '../../src/lib/yjs-update';
import { FlowError } from '../../src/protocol/errors';
import { seededRandom } from '../../src/tools/seeded-random';
import { updateOf } from '../support/yjs-bytes';

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

  test('what dividing costs grows with the number of edits, not with its square', () => {
    const few = dividedIn(6_000);
    // Eight times as many: eight times as long, or sixty-four.
    expect(dividedIn(48_000)).toBeLessThan(24 * few);
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

/** Milliseconds, of the best of some attempts: whatever else the machine does makes it longer, never shorter. */
function dividedIn(edits: number): number {
  const doc = new Y.Doc();
  const text = doc.getText('content');
  // Written backwards, no edit can be merged with the one before.
  doc.transact(() => {
    for (let edit = 0; edit < edits; edit += 1) text.insert(0, 'x');
  });
  const update = Y.encodeStateAsUpdate(doc);
  const attempts = [1, 2, 3].map(() => {
    const startedAt = performance.now();
    const parts = splitUpdate(update, update.length / 8);
    expect(parts.length).toBeGreaterThan(7);
    return performance.now() - startedAt;
  });
  return Math.min(...attempts);
}

/** What the server says to an operation that has this many bytes at most: null, it takes it. */
function refusalOf(update: Uint8Array, maxBytes: number): string | null {
  if (toBase64(update).length + 2 > maxBytes) return 'TOO_LARGE';
  try {
    demandYjsUpdate(update, 'It');
    return null;
  } catch (fault) {
    if (fault instanceof FlowError) return fault.code;
    throw fault;
  }
}

/** One transaction, as one update, in a document that has what `before` made. */
function transaction(before: (doc: Y.Doc) => void, edit: (doc: Y.Doc) => void): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc();
  before(doc);
  const updates = [Y.encodeStateAsUpdate(doc)];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  doc.transact(() => edit(doc));
  return { doc, updates };
}

const writeText = (length: number) => (doc: Y.Doc) => doc.getText('content').insert(0, 'ab'.repeat(length / 2));

function deleteEverySecond(doc: Y.Doc): void {
  const text = doc.getText('content');
  for (let at = text.length - 2; at >= 0; at -= 2) text.delete(at, 1);
}

function insertSubdocuments(doc: Y.Doc): void {
  for (let index = 0; index < 200; index += 1) doc.getArray('subdocuments').push([new Y.Doc()]);
}

/** Each list stands inside the one before. */
function nest(doc: Y.Doc): void {
  let list = doc.getArray<unknown>('lists');
  for (let level = 0; level < 1_000; level += 1) {
    const inner = new Y.Array<unknown>();
    list.insert(0, [inner, level]);
    list = inner;
  }
}

function insertPages(doc: Y.Doc): void {
  const paragraphs = Array.from({ length: 20_000 }, (_, index) => {
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.insert(0, [new Y.XmlText(`paragraph ${index}`)]);
    return paragraph;
  });
  doc.getXmlFragment('pages').insert(0, paragraphs);
}

function makeBold(doc: Y.Doc): void {
  const text = doc.getText('content');
  for (let at = text.length - 2; at >= 0; at -= 2) text.format(at, 1, { bold: true });
}

/** An older Yjs wrote lists of values in this way. */
function writeOldList(doc: Y.Doc): void {
  doc.getArray('old');
  const values = Array.from({ length: 100_000 }, (_, index) => (index % 1_000 === 0 ? undefined : index));
  const id = Y.createID(7, 0);
  const item = new Y.Item(id, null, null, null, null, doc.getArray('old'), null, new Y.ContentJSON(values));
  doc.transact((transaction) => {
    item.integrate(transaction, 0);
    doc.store.clients.set(7, [item]);
  });
}

const rootsOf = (doc: Y.Doc): string =>
  JSON.stringify([
    doc.getText('content').toDelta(),
    doc.getXmlFragment('pages').toJSON(),
    doc.getArray('subdocuments').length,
    ...['lists', 'list', 'old'].map((name) => doc.getArray(name).toJSON()),
    doc.getMap('map').size,
  ]);

const HUGE: ReadonlyArray<readonly [what: string, before: (doc: Y.Doc) => void, edit: (doc: Y.Doc) => void]> = [
  ['33,500 deletions', writeText(67_000), deleteEverySecond],
  ['a pasted megabyte', () => {}, (doc) => doc.getText('content').insert(0, 'ä😀b'.repeat(200_000))],
  ['a whole document made bold, letter by letter', writeText(40_000), makeBold],
  ['200 subdocuments', () => {}, insertSubdocuments],
  ['1,000 lists inside each other', () => {}, nest],
  ['20,000 paragraphs', () => {}, insertPages],
  [
    'a list of 300,000 numbers',
    () => {},
    (doc) => doc.getArray('list').push(Array.from({ length: 300_000 }, Math.sqrt)),
  ],
  ['an old list of 100,000 values', () => {}, writeOldList],
  [
    '40,000 keys',
    () => {},
    (doc) => {
      for (let key = 0; key < 40_000; key += 1) doc.getMap('map').set(`key ${key}`, key);
    },
  ],
];

describe('[EO10] [EO12] a huge transaction', () => {
  test.each(HUGE)('%s: is refused as a whole, and taken in portions', (_what, before, edit) => {
    const maxBytes = 175_000;
    const { doc, updates } = transaction(before, edit);
    const whole = updates[1] ?? new Uint8Array();
    expect(refusalOf(whole, maxBytes)).not.toBeNull();
    const portions = splitUpdate(whole, 131_072);
    expect(portions.length).toBeGreaterThan(1);
    // Not so many that they would be a burden themselves.
    expect(portions.length).toBeLessThan(40);
    expect(portions.map((portion) => refusalOf(portion, maxBytes)).filter(Boolean)).toEqual([]);
    const copy = docOf([updates[0] ?? whole, ...portions]);
    expect(copy.store.pendingStructs ?? copy.store.pendingDs).toBeNull();
    expect(Y.encodeStateVector(copy)).toEqual(Y.encodeStateVector(doc));
    expect(rootsOf(copy)).toBe(rootsOf(doc));
  });

  test('of deletions in the text of thousands of replicas is not an update per replica', () => {
    const texts = Array.from({ length: 3_000 }, (_, index) => {
      const doc = new Y.Doc();
      doc.clientID = index + 1;
      doc.getText('content').insert(0, 'abcdefghijklmnopqrst');
      return Y.encodeStateAsUpdate(doc);
    });
    const { doc, updates } = transaction((all) => texts.forEach((text) => Y.applyUpdate(all, text)), deleteEverySecond);
    const portions = splitUpdate(updates[1] ?? new Uint8Array(), 16_384);
    expect(portions.length).toBeLessThan(60);
    expect(
      docOf([updates[0] ?? new Uint8Array(), ...portions])
        .getText('content')
        .toJSON(),
    ).toBe(doc.getText('content').toJSON());
  });

  test('a picture too large for any operation stays whole, until it is deleted: then it says only that it was there', () => {
    const picture = new Uint8Array(300_000);
    const { doc, updates } = transaction(
      () => {},
      (edited) => edited.getMap('pictures').set('one', picture),
    );
    const whole = updates[1] ?? new Uint8Array();
    expect(splitUpdate(whole, 131_072).map(({ length }) => length)).toEqual([expect.any(Number)]);
    doc.getMap('pictures').delete('one');
    const portions = splitUpdate(mergeUpdates(updates.slice(1)), 131_072);
    expect(Math.max(...portions.map(({ length }) => length))).toBeLessThan(100);
    const copy = docOf(portions);
    expect(copy.getMap('pictures').size).toBe(0);
    expect(Y.encodeStateVector(copy)).toEqual(Y.encodeStateVector(doc));
  });
});

describe('an update that was refused', () => {
  const { updates } = transaction(writeText(20_000), deleteEverySecond);
  const whole = updates[1] ?? new Uint8Array();

  test('goes in halves, until no part of it is tried on the document any more', () => {
    let pieces = [whole];
    for (let round = 0; round < 4; round += 1) {
      const halves = pieces.flatMap((piece) => divideRefused(piece, 131_072) ?? []);
      expect(halves.length).toBeGreaterThan(pieces.length);
      pieces = halves;
    }
    expect(Math.max(...pieces.map((piece) => demandYjsUpdate(piece, 'It')))).toBeGreaterThan(512);
    pieces = pieces.flatMap((piece) => divideRefused(piece, 131_072) ?? []);
    expect(Math.max(...pieces.map((piece) => demandYjsUpdate(piece, 'It')))).toBeLessThanOrEqual(512);
    expect(pieces.map((piece) => divideRefused(piece, 131_072)).filter(Boolean)).toEqual([]);
    expect(
      docOf([updates[0] ?? whole, ...pieces])
        .getText('content')
        .toJSON(),
    ).toBe('b'.repeat(10_000));
  });

  test('is never more parts than the server takes, also one that an earlier version of this library has kept', () => {
    const deletions = Array.from({ length: 34_800 }, (_, index) => [index * 2, 1] as const);
    const halves = divideRefused(updateOf([], [[5, deletions]]), 131_072) ?? [];
    expect(halves.map((half) => refusalOf(half, 175_000)).filter(Boolean)).toEqual([]);
    expect(halves.length).toBeGreaterThan(1);
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
