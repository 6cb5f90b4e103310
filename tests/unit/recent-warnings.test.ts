import { createLogger } from '../../src/lib/logger';
import { RecentWarnings } from '../../src/lib/recent-warnings';
import { ManualClock } from '../support/manual-clock';

function recorded(level = 'info') {
  const clock = new ManualClock();
  const warnings = new RecentWarnings({ clock });
  const log = createLogger({ level, instanceId: 'one', warnings }, { write: () => {} });
  return { clock, warnings, log };
}

test('warnings and worse are noted, the newest first; what is less is not', () => {
  const { warnings, log } = recorded();
  const saver = log.child({ component: 'saver' });
  saver.info('saved');
  saver.warn({ sessions: 2 }, 'saving is slow');
  saver.error('saving failed');
  log.fatal('the end');
  expect(warnings.newestFirst()).toMatchObject([
    { level: 'fatal', message: 'the end' },
    { level: 'error', component: 'saver', message: 'saving failed' },
    { level: 'warn', component: 'saver', message: 'saving is slow' },
  ]);
});

test('what is below the level of the log is not noted either', () => {
  const { warnings, log } = recorded('error');
  log.warn('saving is slow');
  expect(warnings.newestFirst()).toEqual([]);
});

test('of a line only the message, the component and the code of the fault are kept', () => {
  const { warnings, log } = recorded();
  const secret = 'hunter2';
  const cause = Object.assign(new Error(secret), { code: 'ENOSPC' });
  const err = Object.assign(new Error(secret, { cause }), { code: 'STORE_UNAVAILABLE', secret });
  log.child({ component: 'saver', sessionId: secret }).warn({ err, payload: secret, userId: secret }, 'saving failed');
  expect(warnings.newestFirst()).toEqual([
    expect.objectContaining({ component: 'saver', message: 'saving failed', fault: 'ENOSPC' }),
  ]);
  expect(JSON.stringify(warnings.newestFirst())).not.toContain(secret);
});

test('what is logged again counts up and becomes the newest', () => {
  const { clock, warnings, log } = recorded();
  const firstAt = clock.now();
  log.warn('one');
  log.warn('two');
  clock.advance(5_000);
  log.warn('one');
  expect(warnings.newestFirst()).toEqual([
    { level: 'warn', message: 'one', count: 2, firstAt, lastAt: firstAt + 5_000 },
    { level: 'warn', message: 'two', count: 1, firstAt, lastAt: firstAt },
  ]);
});

test('only so many, and so much of each, is kept', () => {
  const { warnings, log } = recorded();
  for (let number = 0; number < 1_000; number += 1) log.warn(`${number} ${'x'.repeat(10_000)}`);
  expect(warnings.newestFirst()[0]?.message).toMatch(/^999 /);
  expect(JSON.stringify(warnings.newestFirst()).length).toBeLessThan(10_000);
});
