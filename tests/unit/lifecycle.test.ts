import { Lifecycle, type Part } from '../../src/lib/lifecycle';
import { silentLogger } from '../../src/lib/logger';
import { ManualClock, settle } from '../support/manual-clock';

const DEADLINE_MS = 1_000;

let clock: ManualClock;
let steps: string[];

beforeEach(() => {
  clock = new ManualClock();
  steps = [];
});

const part = (
  name: string,
  faults: { start?: () => Promise<void> | void; stop?: () => Promise<void> | void } = {},
): Part => ({
  name,
  start: () => {
    steps.push(`start ${name}`);
    return faults.start?.();
  },
  stop: () => {
    steps.push(`stop ${name}`);
    return faults.stop?.();
  },
});

const lifecycleOf = (...parts: Part[]): Lifecycle => new Lifecycle({ parts, clock, log: silentLogger });
const never = (): Promise<void> => new Promise(() => {});

test('parts start in order and stop in reverse order', async () => {
  const lifecycle = lifecycleOf(part('a'), part('b'), { name: 'only there' }, part('c'));
  await lifecycle.start(DEADLINE_MS);
  await lifecycle.stop(DEADLINE_MS);
  expect(steps).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
});

test('each part waits for the one before', async () => {
  let release: () => void = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lifecycle = lifecycleOf(part('slow', { start: () => slow, stop: () => slow }), part('b'));
  const started = lifecycle.start(DEADLINE_MS);
  await settle();
  expect(steps).toEqual(['start slow']);
  release();
  await started;
  expect(steps).toEqual(['start slow', 'start b']);
});

test('stopping twice is stopping once', async () => {
  const lifecycle = lifecycleOf(part('a'));
  await lifecycle.start(DEADLINE_MS);
  await Promise.all([lifecycle.stop(DEADLINE_MS), lifecycle.stop(DEADLINE_MS)]);
  await lifecycle.stop(DEADLINE_MS);
  expect(steps).toEqual(['start a', 'stop a']);
});

test('a part that cannot start stops itself and those before it, and start says why', async () => {
  const fault = new Error('no');
  const lifecycle = lifecycleOf(
    part('a'),
    part('b', {
      start: () => {
        throw fault;
      },
    }),
    part('c'),
  );
  await expect(lifecycle.start(DEADLINE_MS)).rejects.toBe(fault);
  expect(steps).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test.each<[string, () => Promise<void> | void]>([
  ['rejects', () => Promise.reject(new Error('no'))],
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
])('a part whose stop %s does not keep the others from stopping', async (_how, stop) => {
  const lifecycle = lifecycleOf(part('a'), part('b', { stop }));
  await lifecycle.start(DEADLINE_MS);
  await lifecycle.stop(DEADLINE_MS);
  expect(steps.slice(2)).toEqual(['stop b', 'stop a']);
});

test('a part that hangs is left behind at the deadline, and the others still get their turn', async () => {
  const lifecycle = lifecycleOf(part('a'), part('b', { stop: never }), part('c'));
  await lifecycle.start(DEADLINE_MS);
  const stopped = lifecycle.stop(DEADLINE_MS);
  await clock.advanceInSteps(DEADLINE_MS - 1, 111);
  expect(steps.slice(3)).toEqual(['stop c', 'stop b']);
  clock.advance(1);
  await stopped;
  expect(steps.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
});

test('nothing is left behind: no timer outlives the stop', async () => {
  const lifecycle = lifecycleOf(part('a'), part('b'));
  await lifecycle.start(DEADLINE_MS);
  await lifecycle.stop(DEADLINE_MS);
  expect(clock.pendingTimers).toBe(0);
});

test('a stop while starting waits for the part that starts, stops what was started, and nothing more starts', async () => {
  let release: () => void = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lifecycle = lifecycleOf(part('a'), part('slow', { start: () => slow }), part('c'));
  const started = lifecycle.start(DEADLINE_MS);
  const outcome = started.catch((fault: unknown) => fault);
  await settle();
  const stopped = lifecycle.stop(DEADLINE_MS);
  await settle();
  expect(steps).toEqual(['start a', 'start slow']);
  release();
  await stopped;
  expect(await outcome).toMatchObject({ message: 'stopped while starting' });
  expect(steps).toEqual(['start a', 'start slow', 'stop slow', 'stop a']);
});
