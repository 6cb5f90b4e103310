import fc from 'fast-check';
import { Tail } from '../../src/live/tail';
import { markOf, weightOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import { chain, entryAfter } from '../support/entries';

const ROOMY = { maxEntries: 1_024, maxBytes: 2_097_152 };

function tailWith(entries: readonly Entry[], limits = ROOMY, start: Mark = GENESIS): Tail {
  const tail = new Tail(1, start, limits);
  for (const entry of entries) expect(tail.offer(entry)).toBe('passed');
  return tail;
}

const at = (entries: readonly Entry[], index: number): Entry => {
  const entry = entries.at(index);
  if (!entry) throw new Error(`there is no entry ${index}`);
  return entry;
};

describe('[DL2] the gate', () => {
  test('an entry that continues the last one passes and moves the head', () => {
    const entries = chain(3);
    const tail = tailWith(entries);
    expect(tail.head).toEqual(markOf(at(entries, 2)));
  });

  test('an entry that is there already is a repeat, also the oldest of the ring', () => {
    const entries = chain(3);
    const tail = tailWith(entries);
    for (const entry of entries) expect(tail.offer(entry)).toBe('repeat');
    expect(tail.head.seq).toBe(3);
  });

  test('an entry behind missing ones is a hole, and passes once they are there', () => {
    const [first, second, third] = chain(3);
    if (!first || !second || !third) throw new Error('three entries');
    const tail = tailWith([first]);
    expect(tail.offer(third)).toBe('hole');
    expect(tail.head.seq).toBe(1);
    expect(tail.offer(second)).toBe('passed');
    expect(tail.offer(third)).toBe('passed');
  });

  test('an entry after the head on another history breaks', () => {
    const tail = tailWith(chain(2));
    expect(tail.offer(entryAfter({ after: { seq: 2, tag: 'f'.repeat(16) } }))).toBe('break');
    expect(tail.head.seq).toBe(2);
  });

  test('another entry at a seq that the tail has breaks', () => {
    const entries = chain(2);
    const tail = tailWith(entries);
    expect(tail.offer(entryAfter({ after: at(entries, 0), operations: ['other'] }))).toBe('break');
  });

  test('an entry that begins inside the last one and ends beyond it breaks', () => {
    const tail = tailWith([entryAfter({ operations: ['a', 'b', 'c'] })]);
    expect(tail.offer(entryAfter({ after: { seq: 2, tag: 'f'.repeat(16) }, operations: ['x', 'y'] }))).toBe('break');
  });

  test('an entry that ends inside one of the tail breaks', () => {
    const tail = tailWith([entryAfter({ operations: ['a', 'b', 'c'] })]);
    expect(tail.offer(entryAfter({ operations: ['a', 'b'] }))).toBe('break');
  });

  test('an entry of an older epoch is dropped, whatever it is', () => {
    const tail = new Tail(3, GENESIS, ROOMY);
    expect(tail.offer(entryAfter({ epoch: 2 }))).toBe('repeat');
    expect(tail.offer(entryAfter({ epoch: 2, after: { seq: 9, tag: 'f'.repeat(16) } }))).toBe('repeat');
    expect(tail.head).toEqual(GENESIS);
  });

  test('an entry of a newer epoch breaks, even if it would continue the tail', () => {
    const tail = tailWith(chain(1));
    expect(tail.offer(entryAfter({ epoch: 2, after: tail.head }))).toBe('break');
    expect(tail.head.seq).toBe(1);
  });

  test('an entry older than the ring is suspect: only the log can tell', () => {
    const entries = chain(5);
    const tail = tailWith(entries, { ...ROOMY, maxEntries: 2 });
    expect(tail.offer(at(entries, 0))).toBe('suspect');
    expect(tail.offer(at(entries, 1))).toBe('suspect');
    // Where the ring begins its tag is known, so this one can be told.
    expect(tail.offer(at(entries, 2))).toBe('repeat');
    expect(tail.offer(entryAfter({ after: at(entries, 1), operations: ['other'] }))).toBe('break');
  });

  test('what comes from the log passes whatever its epoch, but only as the continuation', () => {
    const tail = new Tail(5, GENESIS, ROOMY);
    const [first, second] = chain(2, { epoch: 2 });
    if (!first || !second) throw new Error('two entries');
    expect(tail.offerFromLog(second)).toBe('hole');
    expect(tail.offerFromLog(first)).toBe('passed');
    expect(tail.offerFromLog(first)).toBe('repeat');
    expect(tail.offerFromLog(entryAfter({ after: { seq: 1, tag: 'f'.repeat(16) } }))).toBe('break');
    expect(tail.offerFromLog(second)).toBe('passed');
  });

  test('in any order, doubled or not, entries pass once each and only in sequence', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(11), { maxLength: 80 }), fc.integer({ min: 1, max: 12 }), (offers, maxEntries) => {
        const entries = chain(12);
        const tail = new Tail(1, GENESIS, { ...ROOMY, maxEntries });
        const passed: number[] = [];
        for (const index of offers) {
          const entry = at(entries, index);
          const allowed =
            index === passed.length ? ['passed'] : index > passed.length ? ['hole'] : ['repeat', 'suspect'];
          const passage = tail.offer(entry);
          expect(allowed).toContain(passage);
          if (passage === 'passed') passed.push(entry.seq);
        }
        expect(passed).toEqual(passed.map((_, index) => index + 1));
        expect(tail.head.seq).toBe(passed.length);
      }),
    );
  });
});

describe('[DL7] the ring', () => {
  test('it holds the latest entries up to their number', () => {
    const entries = chain(10);
    const tail = tailWith(entries, { ...ROOMY, maxEntries: 4 });
    expect(tail.after(6)).toEqual(entries.slice(6));
    expect([5, 6, 10, 11].map((seq) => tail.covers(seq))).toEqual([false, true, true, false]);
  });

  test('it holds the latest entries up to their bytes', () => {
    const entries = chain(10, { operations: ['x'.repeat(1_000)] });
    const weight = weightOf(at(entries, 0));
    const tail = tailWith(entries, { ...ROOMY, maxBytes: weight * 3 });
    expect(tail.after(7)).toEqual(entries.slice(7));
    expect(tail.covers(6)).toBe(false);
  });

  test('the newest entry stays, however large', () => {
    const small = chain(1);
    const large = entryAfter({ after: at(small, 0), operations: ['x'.repeat(10_000)] });
    const tail = tailWith([...small, large], { ...ROOMY, maxBytes: 500 });
    expect(tail.after(1)).toEqual([large]);
    expect(tail.covers(0)).toBe(false);
  });

  test('a large entry that goes gives its bytes back', () => {
    const large = entryAfter({ operations: ['x'.repeat(10_000)] });
    const small = chain(4, { after: large });
    const tail = tailWith([large, ...small], { ...ROOMY, maxBytes: 2_000 });
    expect(tail.after(1)).toEqual(small);
  });

  test('it begins empty at the position the session was opened at', () => {
    const start: Mark = { seq: 7, tag: 'a'.repeat(16) };
    const tail = new Tail(1, start, ROOMY);
    expect([6, 7, 8].map((seq) => tail.covers(seq))).toEqual([false, true, false]);
    expect(tail.after(7)).toEqual([]);
    expect(tail.tagAt(7)).toBe(start.tag);
    expect(tail.tagAt(6)).toBeUndefined();
  });

  test('it gives whole entries: from inside one, that one too', () => {
    const first = entryAfter({ operations: ['a', 'b', 'c'] });
    const second = entryAfter({ after: first, operations: ['d', 'e'] });
    const tail = tailWith([first, second]);
    expect(tail.after(0)).toEqual([first, second]);
    expect(tail.after(2)).toEqual([first, second]);
    expect(tail.after(3)).toEqual([second]);
    expect(tail.after(5)).toEqual([]);
  });

  test('it knows the tag where an entry ends, none inside one or beyond the head, and not what came before it', () => {
    const first = entryAfter({ operations: ['a', 'b'] });
    const second = entryAfter({ after: first, operations: ['c', 'd'] });
    const third = entryAfter({ after: second, operations: ['e', 'f'] });
    const tail = tailWith([first, second, third], { ...ROOMY, maxEntries: 2 });
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((seq) => tail.tagAt(seq))).toEqual([
      undefined,
      undefined,
      first.tag,
      null,
      second.tag,
      null,
      third.tag,
      null,
    ]);
  });

  test('under a newer epoch it is the same history, and older entries are no news', () => {
    const entries = chain(3);
    const tail = tailWith(entries).underEpoch(4);
    expect(tail.epoch).toBe(4);
    expect(tail.head).toEqual(markOf(at(entries, 2)));
    expect(tail.after(0)).toEqual(entries);
    expect(tail.offer(entryAfter({ epoch: 1, after: tail.head }))).toBe('repeat');
    const next = entryAfter({ epoch: 4, after: tail.head });
    expect(tail.offer(next)).toBe('passed');
    expect(tail.after(0)).toEqual([...entries, next]);
  });

  test('whatever has passed, what it covers is exactly the end of the history within its bounds', () => {
    const limits = fc.record({
      maxEntries: fc.integer({ min: 1, max: 9 }),
      maxBytes: fc.integer({ min: 1, max: 5_000 }),
    });
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(1_500)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(sizes, limits, (drafts, ring) => {
        const tail = new Tail(1, GENESIS, ring);
        const entries: Entry[] = [];
        for (const [count, bytes] of drafts) {
          const operations = Array.from({ length: count }, () => 'x'.repeat(bytes));
          const entry = entryAfter({ after: tail.head, operations });
          entries.push(entry);
          tail.offer(entry);
        }
        const covered = entries.filter(({ seq, count }) => tail.covers(seq - count));
        expect(covered).toEqual(entries.slice(entries.length - covered.length));
        const isWithin = (held: readonly Entry[]): boolean =>
          held.length <= ring.maxEntries && held.reduce((sum, entry) => sum + weightOf(entry), 0) <= ring.maxBytes;
        expect(covered.length === 1 || isWithin(covered)).toBe(true);
        const oneMore = entries.slice(-covered.length - 1);
        expect(oneMore.length === covered.length || !isWithin(oneMore)).toBe(true);
        for (const { seq } of covered) expect(tail.after(seq)).toEqual(entries.filter((entry) => entry.seq > seq));
      }),
    );
  });
});
