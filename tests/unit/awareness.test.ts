import { Awareness } from '../../src/live/awareness';
import type { AwarenessState } from '../../src/live/neighbour-messages';
import type { AwarenessStates } from '../../src/protocol/schemas';
import { ManualClock } from '../support/manual-clock';

const INTERVAL_MS = 50;
const BYTES_PER_SECOND = 65_536;

let clock: ManualClock;
let frames: AwarenessStates[];
let awareness: Awareness;
/** What other instances have told. */
let elsewhere: Map<string, AwarenessState>;
let moved: string[];

beforeEach(() => {
  clock = new ManualClock();
  frames = [];
  elsewhere = new Map();
  moved = [];
  awareness = new Awareness({
    clock,
    intervalMs: INTERVAL_MS,
    bytesPerSecond: BYTES_PER_SECOND,
    send: ({ text }) => frames.push(JSON.parse(text) as AwarenessStates),
    elsewhere: { states: () => elsewhere.values(), stateOf: (awarenessId) => elsewhere.get(awarenessId) },
    onMoved: (awarenessId) => moved.push(awarenessId),
  });
});

const show = (connectionId: string, awarenessId: string, stateClock: number, state: unknown): void =>
  awareness.update(
    { connectionId, clientId: `client-of-${connectionId}` },
    { sessionId: 's', awarenessId, clock: stateClock, state },
  );

/** What a reader shows after all frames. */
function shown(): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  for (const frame of frames) {
    for (const [awarenessId, { state }] of Object.entries(frame)) {
      if (state === null) delete known[awarenessId];
      else known[awarenessId] = state;
    }
  }
  return known;
}

describe('[DL9] states', () => {
  test('a joiner gets the states that are known', () => {
    show('a', '1', 3, { cursor: 1 });
    show('b', '2', 1, { cursor: 2 });
    expect(awareness.states()).toEqual({
      1: { clock: 3, state: { cursor: 1 } },
      2: { clock: 1, state: { cursor: 2 } },
    });
  });

  test('a newer state replaces the older one, and a late older one is passed over', () => {
    show('a', '1', 2, 'newer');
    show('a', '1', 1, 'older');
    show('a', '1', 2, 'same clock');
    clock.advance(INTERVAL_MS);
    expect(awareness.states()).toEqual({ 1: { clock: 2, state: 'newer' } });
    expect(frames).toEqual([{ 1: { clock: 2, state: 'newer' } }]);
  });

  test('null says that the state is gone, with the clock it is known under', () => {
    show('a', '1', 2, 'here');
    show('a', '1', 2, null);
    clock.advance(INTERVAL_MS);
    expect(awareness.states()).toEqual({});
    expect(frames.at(-1)).toEqual({ 1: { clock: 2, state: null } });
  });

  test('a late null does not take a newer state away', () => {
    show('a', '1', 5, 'newer');
    show('a', '1', 4, null);
    clock.advance(INTERVAL_MS);
    expect(awareness.states()).toEqual({ 1: { clock: 5, state: 'newer' } });
  });

  test('null for what nobody showed says nothing', () => {
    show('a', '1', 1, null);
    clock.advance(INTERVAL_MS);
    expect(frames).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a state belongs to the connection that showed it: another one cannot touch it', () => {
    show('a', '1', 1, 'mine');
    expect(() => show('b', '1', 2, 'stolen')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(() => show('b', '1', 2, null)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(awareness.states()).toEqual({ 1: { clock: 1, state: 'mine' } });
  });

  test('with its connection go its states, and no others; then another may show the id', () => {
    show('a', '1', 4, 'a1');
    show('a', '2', 1, 'a2');
    show('b', '3', 1, 'b');
    awareness.leave('a');
    clock.advance(INTERVAL_MS);
    expect(Object.keys(awareness.states())).toEqual(['3']);
    expect(frames.at(-1)).toMatchObject({ 1: { clock: 4, state: null }, 2: { clock: 1, state: null } });
    expect(shown()).toEqual({ 3: 'b' });
    show('b', '1', 5, 'b1');
    expect(awareness.states()[1]).toEqual({ clock: 5, state: 'b1' });
  });

  test('a state that comes and goes between two frames leaves only word that it is gone', () => {
    show('a', '1', 1, 'first');
    show('b', '2', 1, 'here');
    awareness.leave('b');
    clock.advance(INTERVAL_MS);
    expect(Object.keys(frames[1] ?? {})).toEqual(['2']);
    expect(frames[1]?.['2']?.state).toBeNull();
    expect(shown()).toEqual({ 1: 'first' });
  });

  test('a state that goes and comes back between two frames is there', () => {
    show('a', '1', 1, 'first');
    awareness.leave('a');
    show('b', '1', 9, 'second');
    clock.advance(INTERVAL_MS);
    expect(shown()).toEqual({ 1: 'second' });
  });

  test('[EO10] a state over 16 KiB is refused, and a ninth state of one connection', () => {
    expect(() => show('a', '1', 1, 'x'.repeat(16_384))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    for (let index = 0; index < 8; index += 1) show('a', `${index}`, 1, index);
    expect(() => show('a', '8', 1, 'one more')).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    show('a', '7', 2, 'the ones there may change');
    show('b', '8', 1, 'another connection has its own');
    expect(Object.keys(awareness.states())).toHaveLength(9);
  });
});

describe('[DL9] frames', () => {
  test('the first change after quiet goes out at once, further ones together every 50 ms', () => {
    for (let move = 1; move <= 100; move += 1) {
      show('a', '1', move, { at: move });
      show('b', '2', move, { at: -move });
      clock.advance(5);
    }
    clock.advance(INTERVAL_MS);
    expect(frames.length).toBe(11);
    expect(Object.keys(frames[0] ?? {})).toEqual(['1']);
    for (const frame of frames.slice(1)) expect(Object.keys(frame).sort()).toEqual(['1', '2']);
    expect(shown()).toEqual({ 1: { at: 100 }, 2: { at: -100 } });
  });

  test('a quiet session has no timer', () => {
    show('a', '1', 1, 'x');
    clock.advance(INTERVAL_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test('frames come less often the larger they are: a reader gets no more than its bytes per second', () => {
    const beganAt = clock.monotonic();
    const large = 'x'.repeat(8_000);
    for (let move = 1; move <= 400; move += 1) {
      for (let mover = 0; mover < 10; mover += 1) show(`c${mover}`, `${mover}`, move, `${move}${large}`);
      clock.advance(25);
    }
    const bytes = frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
    const seconds = (clock.monotonic() - beganAt) / 1_000;
    // One frame goes out before its time is paid for.
    const longest = Math.max(...frames.map((frame) => JSON.stringify(frame).length));
    expect(bytes).toBeLessThanOrEqual(BYTES_PER_SECOND * seconds + longest);
    expect(bytes).toBeGreaterThan(BYTES_PER_SECOND * seconds * 0.8);
  });

  test('a stopped awareness says nothing more and leaves no timer', () => {
    show('a', '1', 1, 'x');
    show('a', '1', 2, 'y');
    awareness.stop();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1_000);
    expect(frames).toHaveLength(1);
  });
});

describe('[DL9] connections of other instances', () => {
  const showElsewhere = (awarenessId: string, stateClock: number, state: unknown, clientId = 'far'): void => {
    elsewhere.set(awarenessId, { awarenessId, clientId, clock: stateClock, state });
    awareness.changed(awarenessId, stateClock);
  };

  test('their states are shown as those of this one', () => {
    show('a', '1', 1, 'near');
    showElsewhere('2', 4, 'far');
    clock.advance(INTERVAL_MS);
    expect(shown()).toEqual({ 1: 'near', 2: 'far' });
    expect(awareness.states()).toEqual({ 1: { clock: 1, state: 'near' }, 2: { clock: 4, state: 'far' } });
    elsewhere.clear();
    awareness.changed('2', 4);
    clock.advance(INTERVAL_MS);
    expect(shown()).toEqual({ 1: 'near' });
    expect(frames.at(-1)).toEqual({ 2: { clock: 4, state: null } });
    expect(moved).toEqual(['1']);
  });

  test('nobody moves the cursor of another client', () => {
    showElsewhere('2', 4, 'far');
    expect(() => show('a', '2', 9, 'stolen')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(awareness.states()).toEqual({ 2: { clock: 4, state: 'far' } });
  });

  test('a client that came from another instance takes its state along, and the newer one is shown', () => {
    showElsewhere('2', 4, 'before', 'client-of-a');
    show('a', '2', 5, 'after');
    expect(awareness.states()).toEqual({ 2: { clock: 5, state: 'after' } });
    // What its old connection showed goes a little later, and takes nothing with it.
    elsewhere.clear();
    awareness.changed('2', 4);
    clock.advance(2 * INTERVAL_MS);
    expect(shown()).toEqual({ 2: 'after' });
  });
});
