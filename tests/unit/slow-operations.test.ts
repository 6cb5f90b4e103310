import { SlowOperations } from '../../src/redis/slow-operations';
import { logLines } from '../support/log-lines';
import { ManualClock } from '../support/manual-clock';

test('the first slow operation is told at once, the others every ten seconds with how many there were and the worst', () => {
  const clock = new ManualClock();
  const { log, lines } = logLines();
  const slow = new SlowOperations({ slowMs: 100, clock, log });
  slow.record('quick', 100);
  expect(lines).toEqual([]);
  slow.record('first', 101);
  expect(lines).toEqual([expect.objectContaining({ command: 'first', ms: 101, count: 1 })]);
  slow.record('second', 900);
  slow.record('third', 200);
  expect(lines).toHaveLength(1);
  clock.advance(10_000);
  expect(lines[1]).toMatchObject({ command: 'second', ms: 900, count: 2 });
  // A quiet interval ends it: the next one is told at once again.
  clock.advance(10_000);
  expect(lines).toHaveLength(2);
  slow.record('fourth', 150);
  expect(lines[2]).toMatchObject({ command: 'fourth', count: 1 });
  slow.stop();
  expect(clock.pendingTimers).toBe(0);
});
