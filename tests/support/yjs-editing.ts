import * as Y from 'yjs';

type Random = () => number;

const upTo = (random: Random, end: number): number => Math.floor(random() * end);
const oneOf = <T>(random: Random, choices: readonly [T, ...T[]]): T =>
  choices[upTo(random, choices.length)] ?? choices[0];

const VALUES = [
  null,
  true,
  -7,
  1.5,
  2 ** 40,
  { big: 10n, not: undefined },
  'é€😀',
  [1, [2]],
  { a: { b: [] } },
  new Uint8Array(3),
] as const;

type Edit = (doc: Y.Doc, random: Random) => void;

/** Everything that Yjs has a kind of content for. */
const EDITS: readonly [Edit, ...Edit[]] = [
  (doc, random) => {
    const text = doc.getText('content');
    text.insert(upTo(random, text.length + 1), oneOf(random, ['a', 'word ', 'é€😀', 'x'.repeat(40)]));
  },
  (doc, random) => {
    const text = doc.getText('content');
    if (text.length > 0) text.delete(upTo(random, text.length), 1);
  },
  (doc, random) => {
    const text = doc.getText('rich');
    text.insert(upTo(random, text.length + 1), 'bold', { bold: true, link: { href: '/' } });
    text.insertEmbed(upTo(random, text.length + 1), { image: 'a.png' });
    text.format(0, upTo(random, text.length), { italic: random() < 0.5 ? true : null });
  },
  (doc, random) => {
    const list = doc.getArray('list');
    list.insert(upTo(random, list.length + 1), [oneOf(random, VALUES), oneOf(random, VALUES)]);
    if (random() < 0.3) list.delete(upTo(random, list.length), 1);
  },
  (doc, random) => {
    const map = doc.getMap('map');
    map.set(oneOf(random, ['a', 'b', 'constructor']), oneOf(random, VALUES));
    if (random() < 0.3) map.delete('a');
    if (random() < 0.3) map.set('inner', new Y.Map([['deep', new Y.Array()]]));
  },
  (doc, random) => {
    const fragment = doc.getXmlFragment('page');
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.setAttribute('align', 'left');
    paragraph.insert(0, [new Y.XmlText('one'), new Y.XmlElement('br')]);
    fragment.insert(upTo(random, fragment.length + 1), [paragraph]);
    if (random() < 0.3) fragment.delete(upTo(random, fragment.length), 1);
  },
  (doc, random) => {
    doc.getArray('documents').push([new Y.Doc({ guid: 'inner', gc: random() < 0.5, meta: { a: 1 } })]);
  },
];

/** Real editing by a few replicas that hear of each other now and then: every update, in an order in which all can be applied. */
export function editing(random: Random, edits: number, replicas = 3): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const docs = Array.from({ length: replicas }, (_, index) => {
    const doc = new Y.Doc();
    doc.clientID = index === 0 ? 1 + upTo(random, 100) : upTo(random, 2 ** 32);
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'heard') updates.push(update);
    });
    return { doc, heard: 0 };
  });
  for (let edit = 0; edit < edits; edit += 1) {
    const replica = docs[upTo(random, replicas)];
    if (!replica) continue;
    if (random() < 0.5) {
      for (const update of updates.slice(replica.heard)) Y.applyUpdate(replica.doc, update, 'heard');
      replica.heard = updates.length;
    }
    replica.doc.transact(() => oneOf(random, EDITS)(replica.doc, random));
  }
  return updates;
}

/** The same bytes with one to four faults: changed, missing, doubled, foreign, cut off. */
export function damaged(bytes: Uint8Array, random: Random, other: Uint8Array = bytes): Uint8Array {
  let now = [...bytes];
  for (let fault = 0; fault <= upTo(random, 4); fault += 1) {
    const at = upTo(random, now.length);
    const damages = [
      () => now.splice(at, 1, upTo(random, 256)),
      () => now.splice(at, 1, (now[at] ?? 0) ^ (1 << upTo(random, 8))),
      () => now.splice(at, 1 + upTo(random, 4)),
      () => now.splice(at, 0, ...now.slice(at, at + upTo(random, 12))),
      () => now.splice(at, 0, ...other.slice(upTo(random, other.length)).subarray(0, upTo(random, 30))),
      () => now.splice(at, 0, ...oneOf(random, [[0xff, 0xff, 0xff, 0xff, 0x7f], [0x80, 0x80, 0], [0], [127]])),
      () => (now = now.slice(0, at)),
    ] as const;
    oneOf<() => unknown>(random, damages)();
  }
  return Uint8Array.from(now);
}
