import { Roster } from '../../src/live/roster';
import type { Participant } from '../../src/protocol/schemas';
import { ManualClock } from '../support/manual-clock';

const person = (name: string): Participant => ({
  connectionId: name,
  clientId: `c-${name}`,
  userId: `u-${name}`,
  role: 'editor',
});

interface Change {
  joined: string[];
  left: string[];
}

let clock: ManualClock;
let changes: Change[];
let roster: Roster;

beforeEach(() => {
  clock = new ManualClock();
  changes = [];
  roster = new Roster(clock, ({ joined, left }) =>
    changes.push({
      joined: joined.map(({ connectionId }) => connectionId),
      left: left.map(({ connectionId }) => connectionId),
    }),
  );
});

/** What somebody thinks who had `known` from the reply to a join and then heard every change. */
function believed(known: readonly string[]): string[] {
  const here = new Set(known);
  for (const { joined, left } of changes) {
    for (const name of joined) here.add(name);
    for (const name of left) here.delete(name);
  }
  return [...here].sort();
}

test('who comes and goes within 50 ms is told in one announcement', () => {
  roster.joined(person('a'));
  roster.joined(person('b'));
  clock.advance(49);
  roster.left(person('z'));
  expect(changes).toEqual([]);
  clock.advance(1);
  expect(changes).toEqual([{ joined: ['a', 'b'], left: ['z'] }]);
  clock.advance(1_000);
  expect(changes).toHaveLength(1);
});

test('who comes back within 50 ms has not left', () => {
  roster.left(person('a'));
  roster.joined(person('a'));
  clock.advance(50);
  expect(changes).toEqual([{ joined: ['a'], left: [] }]);
});

test('who comes and goes within 50 ms does not stay for those who joined in between', () => {
  roster.joined(person('a'));
  // Somebody joins now and is told that a is here.
  roster.left(person('a'));
  clock.advance(50);
  expect(believed(['a', 'b'])).toEqual(['b']);
});

test('who joins again and goes within 50 ms is gone for everyone', () => {
  roster.joined(person('a'));
  clock.advance(50);
  roster.joined(person('a'));
  roster.left(person('a'));
  clock.advance(50);
  expect(believed([])).toEqual([]);
});

test('a stopped roster says nothing more and leaves no timer', () => {
  roster.joined(person('a'));
  roster.stop();
  expect(clock.pendingTimers).toBe(0);
  clock.advance(1_000);
  expect(changes).toEqual([]);
});
