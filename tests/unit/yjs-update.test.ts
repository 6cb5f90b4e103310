import * as Y from 'yjs';
import { FlowError } from '../../src/protocol/errors';
import { demandYjsUpdate } from '../../src/lib/yjs-update';
import { encodeOperations } from '../../src/live/operations';
import { seededRandom } from '../../src/tools/seeded-random';
import {
  all,
  any,
  anything,
  base64Of,
  bytes,
  collected,
  deleted,
  embed,
  formatted,
  item,
  ofOne,
  sharedType,
  skipped,
  string,
  subdocument,
  text,
  uint,
  updateOf,
} from '../support/yjs-bytes';
import { damaged, editing } from '../support/yjs-editing';

const check = (update: Uint8Array): number => demandYjsUpdate(update, 'It');
const refusal = (code: string) => expect.objectContaining({ name: 'FlowError', code });

/** Why it is refused; null: it is taken. */
function refusalOf(update: Uint8Array): string | null {
  try {
    check(update);
    return null;
  } catch (fault) {
    if (fault instanceof FlowError) return fault.message;
    throw fault;
  }
}

const parsed = (json: string): Parameters<typeof any>[0] => JSON.parse(json) as Parameters<typeof any>[0];
const nest = (levels: number): Parameters<typeof any>[0] => parsed('['.repeat(levels) + ']'.repeat(levels));
const sound = ofOne(text('sound'));
const PROTO = parsed('{"__proto__":{"isAdmin":true}}');

/** Types inside each other, all of one replica. */
const nested = (levels: number): Uint8Array =>
  ofOne(...Array.from({ length: levels }, (_, level) => sharedType(0, level === 0 ? {} : { inside: [5, level - 1] })));

/** The same by two replicas in turns, each type beside a text that is inside the last one. */
function nestedInTurns(levels: number): Uint8Array {
  const structs = [sharedType(0)];
  const others: typeof structs = [];
  for (let level = 0; level < levels; level += 1) {
    others.push(text('x', { inside: [5, level] }));
    structs.push(sharedType(0, { origin: [6, level] }));
  }
  return updateOf([
    { client: 6, structs: others },
    { client: 5, structs },
  ]);
}

const HOSTILE: ReadonlyArray<readonly [what: string, update: Uint8Array]> = [
  ['no bytes', Uint8Array.of()],
  ['an update that is cut off', sound.subarray(0, -3)],
  ['an update without its deletions', sound.subarray(0, -1)],
  ['bytes behind the end', Uint8Array.of(...sound, 0)],
  ['more replicas than bytes', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0)],
  ['more structs than bytes', updateOf([{ client: 5, structs: [text('x')], count: 2 ** 31 }])],
  ['a replica without structs', updateOf([{ client: 5, structs: [] }])],
  ['a replica twice', updateOf([5, 5].map((client) => ({ client, structs: [text('x')] })))],
  ['a client id of 2^53', Uint8Array.of(1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 5, 0)],
  ['a number without an end', Uint8Array.of(1, 1, ...Array.from({ length: 400 }, () => 0x80), 0, 0, 0, 5, 0)],
  ['a clock beyond any document', updateOf([{ client: 5, clock: 2 ** 31, structs: [text('x')] }])],
  ['a clock that grows beyond any document', updateOf([{ client: 5, clock: 2 ** 31 - 3, structs: [text('xxx')] }])],
  ['a length of 2^53 - 1', ofOne(collected(Number.MAX_SAFE_INTEGER))],
  ['a deleted content of 2^53 - 1', ofOne(deleted(Number.MAX_SAFE_INTEGER))],
  ['a hole of 2^53 - 1', ofOne(skipped(Number.MAX_SAFE_INTEGER), text('x'))],
  ['a deletion of 2^53 - 1', updateOf([], [[5, [[0, Number.MAX_SAFE_INTEGER]]]])],
  ['a deletion of nothing', updateOf([], [[5, [[7, 0]]]])],
  ['more deletions than bytes', Uint8Array.of(0, 1, 5, 0xff, 0xff, 0xff, 0x0f)],
  ['a text without characters', ofOne(text(''))],
  ['a list without values', ofOne(anything(0))],
  ['nothing, collected', ofOne(collected(0))],
  ['a text longer than the update', ofOne(item(4, all(uint(2 ** 30), bytes(65))))],
  ['a text that is not UTF-8', ofOne(item(4, all(uint(2), bytes(0xc3, 0x28))))],
  ['a text with half a surrogate pair', ofOne(item(4, all(uint(3), bytes(0xed, 0xa0, 0x80))))],
  ['binary content longer than the update', ofOne(item(3, uint(2 ** 30)))],
  ['a list of 2^31 values', ofOne(anything(2 ** 31, any(1)))],
  ['an array value of 2^31', ofOne(anything(1, bytes(117), uint(2 ** 31)))],
  ['an object value of 2^31', ofOne(anything(1, bytes(118), uint(2 ** 31)))],
  ['an unknown kind of value', ofOne(anything(1, bytes(99)))],
  ['an unknown kind of content', ofOne(item(11, uint(1)))],
  ['a hole with an origin', ofOne(item(10, uint(1), { origin: [6, 0] }))],
  ['a collected struct with an origin', ofOne(item(0, uint(1), { origin: [6, 0] }))],
  ['an unknown shared type', ofOne(sharedType(7))],
  ['an unknown kind of parent', Uint8Array.of(1, 1, 5, 0, 4, 2, 1, 97, 1, 97, 0)],
  ['an origin that the replica has yet to write', ofOne(text('x', { origin: [5, 0] }))],
  ['an origin that the replica has yet to write, later', ofOne(text('x', { origin: [5, 1_000] }))],
  ['a right origin that the replica has yet to write', ofOne(text('x', { origin: [6, 0], rightOrigin: [5, 3] }))],
  ['a parent that the replica has yet to write', ofOne(text('x', { inside: [5, 0] }))],
  ['an origin beyond any document', ofOne(text('x', { origin: [6, 2 ** 31] }))],
  ['a value nested 101 levels deep', ofOne(anything(1, any(nest(101))))],
  [
    'a value nested 100,000 levels deep',
    ofOne(anything(1, all(...Array.from({ length: 100_000 }, () => bytes(117, 1))))),
  ],
  ['an embedded value nested 102 levels deep', ofOne(embed('['.repeat(102) + ']'.repeat(102)))],
  ['an embedded value that is no JSON', ofOne(embed('{'))],
  ['a format that is no JSON', ofOne(formatted('bold', 'yes'))],
  ['a list of old whose values are no JSON', ofOne(item(2, all(uint(1), string('{'))))],
  ['a root __proto__', ofOne(text('x', { root: '__proto__' }))],
  ['a key __proto__', ofOne(text('x', { key: '__proto__' }))],
  ['a format __proto__', ofOne(formatted('__proto__', '{"isAdmin":true}'))],
  ['an element __proto__', ofOne(sharedType(3, {}, '__proto__'))],
  ['__proto__ in a value', ofOne(anything(1, any([PROTO])))],
  ['constructor.prototype in a value', ofOne(anything(1, any({ constructor: { prototype: { isAdmin: true } } })))],
  ['__proto__ in an embedded value', ofOne(embed('{"__proto__":{"isAdmin":true}}'))],
  ['__proto__ in a format', ofOne(formatted('link', '{"__proto__":1}'))],
  ['a subdocument without options', ofOne(subdocument('inner', any(null)))],
  ['a subdocument with another guid among its options', ofOne(subdocument('inner', any({ guid: 7 })))],
  ['a subdocument with __proto__', ofOne(subdocument('inner', any({ meta: PROTO })))],
  ['65 subdocuments', ofOne(...Array.from({ length: 65 }, () => subdocument('inner', any({}))))],
  ['shared types nested 102 levels deep', nested(102)],
  ['shared types nested 10,000 levels deep', nested(10_000)],
  ['shared types nested by two replicas in turns', nestedInTurns(102)],
];

test.each(HOSTILE)('%s is refused', (_what, update) => {
  expect(() => check(update)).toThrow(refusal('BAD_REQUEST'));
});

test.each([
  ['100,000 tiny structs', ofOne(...Array.from({ length: 100_000 }, () => collected(1)))],
  ['100,000 tiny deletions', updateOf([], [[5, Array.from({ length: 100_000 }, (_, at) => [at * 2, 1] as const)]])],
  [
    'structs and deletions of many replicas',
    updateOf(Array.from({ length: 40_000 }, (_, client) => ({ client, structs: [collected(1)] }))),
  ],
])('%s are too many', (_what, update) => {
  expect(() => check(update)).toThrow(refusal('TOO_LARGE'));
});

test.each([
  ['an empty update', Uint8Array.of(0, 0)],
  ['a hole between structs', ofOne(text('x'), skipped(3), text('y', { origin: [5, 0] }))],
  ['a reference to what has not come yet', ofOne(text('x', { origin: [6, 1_000], rightOrigin: [7, 3] }))],
  ['a value nested 99 levels deep', ofOne(anything(1, any(nest(99))))],
  ['shared types nested 100 levels deep', nested(100)],
  ['10,000 types beside each other', ofOne(...Array.from({ length: 10_000 }, () => sharedType(0)))],
  ['a list of old', ofOne(item(2, all(uint(2), string('undefined'), string('{"a":1}'))))],
  ['words that only look dangerous', ofOne(anything(1, any({ constructor: 'Gaudí', prototype: 1, proto: 2 })))],
])('%s is taken', (_what, update) => {
  expect(refusalOf(update)).toBeNull();
  Y.applyUpdate(new Y.Doc(), update);
});

describe.each([1, 2, 3, 4])('seed %i', (seed) => {
  test('what Yjs writes is taken, also merged, as a whole and as a difference', () => {
    const random = seededRandom(seed);
    const updates = editing(random, 150);
    const doc = new Y.Doc();
    for (const update of updates) {
      expect(refusalOf(update)).toBeNull();
      Y.applyUpdate(doc, update);
    }
    expect(refusalOf(Y.encodeStateAsUpdate(doc))).toBeNull();
    expect(refusalOf(Y.mergeUpdates(updates))).toBeNull();
    expect(refusalOf(Y.mergeUpdates(updates.filter(() => random() < 0.5)))).toBeNull();
    const half = Y.encodeStateVectorFromUpdate(Y.mergeUpdates(updates.slice(0, updates.length / 2)));
    expect(refusalOf(Y.diffUpdate(Y.encodeStateAsUpdate(doc), half))).toBeNull();
  });

  test('of damaged updates those are taken that Yjs reads to their end, and no others', () => {
    const random = seededRandom(seed);
    const updates = editing(random, 60);
    let taken = 0;
    let refused = 0;
    for (let round = 0; round < 4_000; round += 1) {
      const [one, other] = [updates[round % updates.length] ?? sound, updates[Math.floor(random() * updates.length)]];
      const update = damaged(one, random, other);
      if (refusalOf(update) !== null) {
        refused += 1;
        continue;
      }
      taken += 1;
      const { structs } = Y.decodeUpdate(update);
      // By Yjs's own count: it has read the same structs, with the same clocks.
      const ends = new Map(structs.map(({ id, length }) => [id.client, id.clock + length]));
      for (const end of ends.values()) expect(end).toBeLessThan(2 ** 31);
      Y.decodeUpdate(Y.mergeUpdates([update, Uint8Array.of(0, 0)]));
    }
    expect(taken).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1_000);
  });
});

describe('what checking costs', () => {
  /** Of the processor, and the least of some runs: what the machine does besides does not count. */
  function leastMs(work: () => void): number {
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 7; run += 1) {
      const before = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1_000);
    }
    return least;
  }

  /** As long as an operation in base64 may be (EO10). */
  const MAX_BYTES = 780_000;
  const LIMITS = { maxOperationBytes: 1_048_576, maxBatchOperations: 256, maxBatchBytes: 2_097_152 };
  const many = (count: number, write: (at: number) => ReturnType<typeof text>) =>
    ofOne(...Array.from({ length: count }, (_, at) => write(at)));

  test.each([
    ['real editing', Y.mergeUpdates(editing(seededRandom(9), 2_000))],
    ['one long text', ofOne(text('x'.repeat(MAX_BYTES - 30)))],
    ['one long text of three bytes a character', ofOne(text('€'.repeat(MAX_BYTES / 3 - 30)))],
    ['as many structs as may be', many(32_768, (at) => text('x'.repeat(14), { origin: [6, at] }))],
    ['three times as many structs', many(98_304, () => collected(1))],
    ['formats', many(32_768, () => formatted('b', '[1]'))],
    [
      'as many deletions as may be',
      updateOf([], [[5, Array.from({ length: 32_768 }, (_, at) => [at * 2, 1] as const)]]),
    ],
    ['a value of many parts', ofOne(anything(1, any(Array.from({ length: 700_000 }, (_, at) => at % 2 === 0))))],
    ['a value of many objects', ofOne(anything(1, any(Array.from({ length: 130_000 }, () => ({ a: 1 })))))],
    ['a value of many texts', ofOne(anything(1, any(Array.from({ length: 250_000 }, () => 'a'))))],
    ['an embedded value of many parts', ofOne(embed(`[${'[],'.repeat(250_000)}[]]`))],
    ['one that has to be looked through', ofOne(embed(`["constructor",${'[],'.repeat(250_000)}[]]`))],
    ['types beside each other', many(32_768, () => sharedType(0))],
    ['types inside each other', nested(32_768)],
    ['replicas', updateOf(Array.from({ length: 32_768 }, (_, client) => ({ client, structs: [collected(1)] })))],
  ])(
    '%s: the event loop stands still for less than 50 ms, and not longer than if Yjs had decoded it',
    (_what, update) => {
      const operation = base64Of(update);
      expect(operation.length).toBeLessThan(LIMITS.maxOperationBytes);
      const checking = leastMs(() => {
        try {
          encodeOperations('yjs', [operation], LIMITS);
        } catch {
          // Refused in the end; what counts is how long that took.
        }
      });
      const decoding = leastMs(() => void Y.decodeUpdate(Buffer.from(operation, 'base64')));
      expect(checking).toBeLessThan(50);
      // Base64 is compared with itself, and texts are read for what they are: some milliseconds that decoding does not need.
      expect(checking).toBeLessThan(decoding * 2 + 15);
    },
  );
});
