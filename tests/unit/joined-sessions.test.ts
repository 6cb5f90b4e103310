import { JoinedSessions } from '../../src/socket/joined-sessions';

test('what was joined and closed since is forgotten, sooner or later', () => {
  const joined = new JoinedSessions(() => undefined, 0);
  for (let session = 0; session < 10_000; session += 1) joined.add(`session-${session}`);
  expect(joined.size).toBeLessThan(100);
});

test('a session that is closed is not joined any more, and leaving it is fine, once', () => {
  const joined = new JoinedSessions(() => undefined, 0);
  joined.add('s');
  expect(joined.get('s')).toBeUndefined();
  expect([joined.leave('s', 'c'), joined.leave('s', 'c')]).toEqual([true, false]);
});
