import { SavedPosition } from '../../src/live/saved-position';
import { Tail } from '../../src/live/tail';
import { markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import { chain } from '../support/entries';
import { settle } from '../support/manual-clock';

const entries = chain(5);
const markAt = (seq: number) => markOf(entries[seq - 1] as Entry);

let tail: Tail;
let saved: SavedPosition;
let reached: number[];

const wait = (seq: number): void => void saved.reached(seq).then(() => reached.push(seq));
const hear = async (seq: number): Promise<void> => {
  saved.hear(markAt(seq), tail);
  await settle();
};

beforeEach(() => {
  tail = new Tail(1, GENESIS, { maxEntries: 100, maxBytes: 1_000_000 });
  for (const entry of entries.slice(0, 4)) tail.offer(entry);
  saved = new SavedPosition(GENESIS);
  reached = [];
});

test('[SV3] what is said to be saved is believed where the tail has the same, and is no news twice', () => {
  expect(saved.hear(markAt(2), tail)).toBe('news');
  expect(saved.hear(markAt(2), tail)).toBe('no news');
  expect(saved.hear(markAt(1), tail)).toBe('no news');
  expect(saved.hear(markAt(5), tail)).toBe('no news');
  expect(saved.hear({ seq: 3, tag: 'f'.repeat(16) }, tail)).toBe('contradiction');
  expect(saved.mark).toEqual(markAt(2));
});

test('who waits for a position is woken as soon as it is saved, whatever is ordered meanwhile', async () => {
  for (const seq of [4, 2, 1, 0]) wait(seq);
  await settle();
  expect(reached).toEqual([0]);
  await hear(2);
  expect(reached).toEqual([0, 2, 1]);
  await hear(3);
  expect(reached).toHaveLength(3);
  await hear(4);
  expect(reached).toEqual([0, 2, 1, 4]);
});

test('another history that begins earlier is waited for as well', async () => {
  await hear(3);
  wait(4);
  saved.restartAt(markAt(2));
  await hear(3);
  expect(reached).toEqual([]);
  await hear(4);
  expect(reached).toEqual([4]);
});
