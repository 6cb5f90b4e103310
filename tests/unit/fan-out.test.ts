import { FanOut } from '../../src/live/fan-out';
import { weightOf, type Entry } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import { announcements, type Batch } from '../../src/protocol/schemas';
import { Telemetry } from '../../src/telemetry/telemetry';
import { chain, entryAfter } from '../support/entries';
import { ManualClock } from '../support/manual-clock';

const INTERVAL_MS = 10;

type Sent =
  | { readonly batch: Batch; readonly bytes: number }
  | { readonly saved: { epoch: number; saved: number; tag: string } };

let clock: ManualClock;
let telemetry: Telemetry;
let sent: Sent[];
let fanOut: FanOut;

beforeEach(() => begin(INTERVAL_MS));

function begin(intervalMs: number): void {
  clock = new ManualClock();
  telemetry = new Telemetry();
  sent = [];
  fanOut = new FanOut(
    {
      sessionId: 's',
      clock,
      telemetry,
      intervalMs,
      sendBatch: (batch, bytes) => {
        sent.push({ batch: announcements['operation:batch'].parse(JSON.parse(batch.text)), bytes });
        return 3;
      },
      sendSaved: (saved) => sent.push({ saved }),
    },
    { epoch: 1, saved: GENESIS },
  );
}

const batches = (): Batch[] => sent.flatMap((frame) => ('batch' in frame ? [frame.batch] : []));
const seqsOf = ({ entries }: Batch): number[] => entries.map(({ seq }) => seq);
const savedAlone = (): number[] => sent.flatMap((frame) => ('saved' in frame ? [frame.saved.saved] : []));

function push(entries: readonly Entry[]): void {
  for (const entry of entries) fanOut.push(entry);
}

describe('[DL5] frames', () => {
  test('the first entry after quiet goes out in the same turn', () => {
    const [entry] = chain(1);
    if (!entry) throw new Error('one entry');
    fanOut.push(entry);
    expect(batches()).toEqual([
      {
        sessionId: 's',
        epoch: 1,
        prevSeq: 0,
        prevTag: '',
        entries: [
          {
            epoch: 1,
            seq: 1,
            clientId: 'client-1',
            clientSeq: 1,
            userId: 'user-1',
            at: entry.at,
            operations: ['op-1'],
          },
        ],
        tag: entry.tag,
        saved: 0,
      },
    ]);
  });

  test('what comes while the session is busy goes out in one frame at the end of the interval', () => {
    const entries = chain(5);
    push(entries.slice(0, 1));
    clock.advance(3);
    push(entries.slice(1, 3));
    clock.advance(INTERVAL_MS - 4);
    push(entries.slice(3));
    expect(batches()).toHaveLength(1);
    clock.advance(1);
    expect(batches().map(seqsOf)).toEqual([[1], [2, 3, 4, 5]]);
    expect(batches()[1]).toMatchObject({ prevSeq: 1, prevTag: entries[0]?.tag, tag: entries[4]?.tag });
  });

  test('at full speed there is one frame per interval, each continuing the last one', () => {
    const entries = chain(100);
    for (const entry of entries) {
      fanOut.push(entry);
      clock.advance(1);
    }
    clock.advance(INTERVAL_MS);
    expect(batches()).toHaveLength(11);
    let before: { seq: number; tag: string } = GENESIS;
    for (const batch of batches()) {
      expect({ seq: batch.prevSeq, tag: batch.prevTag }).toEqual(before);
      before = { seq: batch.entries.at(-1)?.seq ?? 0, tag: batch.tag };
    }
    expect(batches().flatMap(seqsOf)).toEqual(entries.map(({ seq }) => seq));
  });

  test('after an interval without entries the next one goes out at once again', () => {
    const entries = chain(3);
    push(entries.slice(0, 2));
    clock.advance(INTERVAL_MS);
    expect(batches()).toHaveLength(2);
    clock.advance(INTERVAL_MS);
    push(entries.slice(2));
    expect(batches().map(seqsOf)).toEqual([[1], [2], [3]]);
  });

  test('a frame that has grown large goes out before its interval ends', () => {
    const entries = chain(20, { operations: ['x'.repeat(50_000)] });
    push(entries);
    const early = batches().length;
    expect(early).toBeGreaterThan(2);
    clock.advance(INTERVAL_MS);
    expect(batches().flatMap(seqsOf)).toEqual(entries.map(({ seq }) => seq));
    const largest = Math.max(...sent.map((frame) => ('bytes' in frame ? frame.bytes : 0)));
    expect(largest).toBeLessThan(262_144 + 51_000);
  });

  test('[DL1] a flush sends in this turn what waits, and nothing twice', () => {
    const entries = chain(3);
    push(entries.slice(0, 2));
    fanOut.flush();
    fanOut.flush();
    expect(batches().map(seqsOf)).toEqual([[1], [2]]);
    clock.advance(INTERVAL_MS - 1);
    push(entries.slice(2));
    expect(batches()).toHaveLength(2);
    clock.advance(1);
    expect(batches().map(seqsOf)).toEqual([[1], [2], [3]]);
  });

  test('a batch of several operations is one entry of the frame', () => {
    const entry = entryAfter({ operations: ['a', 'b', 'c'] });
    fanOut.push(entry);
    expect(batches()[0]).toMatchObject({ prevSeq: 0, entries: [{ seq: 3, operations: ['a', 'b', 'c'] }] });
    expect(sent[0]).toMatchObject({ bytes: weightOf(entry) });
  });

  test('operations delivered are counted per receiver', () => {
    push([entryAfter({ operations: ['a', 'b', 'c'] })]);
    expect(telemetry.operations.delivered).toBe(9);
  });

  test('under a newer epoch what waits is sent under the old one first', () => {
    const entries = chain(3);
    push(entries.slice(0, 2));
    fanOut.underEpoch(2);
    push(entries.slice(2));
    clock.advance(INTERVAL_MS);
    expect(batches().map((batch) => [batch.epoch, seqsOf(batch)])).toEqual([
      [1, [1]],
      [1, [2]],
      [2, [3]],
    ]);
  });
});

describe('[SV3] saved', () => {
  const markAt = (entries: readonly Entry[], index: number) => {
    const entry = entries[index];
    if (!entry) throw new Error(`there is no entry ${index}`);
    return { seq: entry.seq, tag: entry.tag };
  };

  test('it rides on the next batch, and then does not go alone', () => {
    const entries = chain(2);
    push(entries.slice(0, 1));
    fanOut.saved(markAt(entries, 0));
    push(entries.slice(1));
    clock.advance(INTERVAL_MS);
    expect(batches().map(({ saved }) => saved)).toEqual([0, 1]);
    clock.advance(1_000);
    expect(savedAlone()).toEqual([]);
  });

  test('it does not hurry a frame that waits, but goes with it', () => {
    begin(500);
    const entries = chain(3);
    push(entries.slice(0, 2));
    fanOut.saved(markAt(entries, 0));
    clock.advance(499);
    expect(sent).toHaveLength(1);
    clock.advance(1);
    expect(batches().map(({ saved }) => saved)).toEqual([0, 1]);
    clock.advance(1_000);
    expect(savedAlone()).toEqual([]);
  });

  test('with no batch to ride on it goes alone after 100 ms', () => {
    const entries = chain(1);
    push(entries);
    fanOut.saved(markAt(entries, 0));
    clock.advance(99);
    expect(savedAlone()).toEqual([]);
    clock.advance(1);
    expect(savedAlone()).toEqual([1]);
    expect(sent.at(-1)).toMatchObject({ saved: { epoch: 1, saved: 1, tag: expect.stringMatching(/^[0-9a-f]{16}$/) } });
  });

  test('alone it goes at most every 100 ms, with the latest', () => {
    const entries = chain(50);
    push(entries);
    clock.advance(INTERVAL_MS);
    const before = clock.monotonic();
    for (let index = 0; index < 50; index += 1) {
      fanOut.saved(markAt(entries, index));
      clock.advance(10);
    }
    clock.advance(100);
    expect(savedAlone().length).toBeLessThanOrEqual(Math.ceil((clock.monotonic() - before) / 100));
    expect(savedAlone().at(-1)).toBe(50);
    expect(savedAlone()).toEqual([...savedAlone()].sort((a, b) => a - b));
  });

  test('it never goes back and is not said twice', () => {
    const entries = chain(3);
    push(entries);
    clock.advance(INTERVAL_MS);
    fanOut.saved(markAt(entries, 2));
    clock.advance(100);
    fanOut.saved(markAt(entries, 0));
    fanOut.saved(markAt(entries, 2));
    fanOut.announceSaved();
    clock.advance(1_000);
    expect(savedAlone()).toEqual([3]);
  });

  test('at the end it is said at once', () => {
    const entries = chain(1);
    push(entries);
    fanOut.saved(markAt(entries, 0));
    fanOut.announceSaved();
    expect(savedAlone()).toEqual([1]);
  });
});

test('a stopped fan-out leaves no timer', () => {
  const entries = chain(2);
  push(entries);
  fanOut.saved({ seq: 1, tag: entries[0]?.tag ?? '' });
  expect(clock.pendingTimers).toBe(2);
  fanOut.stop();
  expect(clock.pendingTimers).toBe(0);
  clock.advance(1_000);
  expect(batches()).toHaveLength(1);
});
