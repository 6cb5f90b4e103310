import { TokenBucket } from '../../src/limits/token-bucket';
import { ManualClock } from '../support/manual-clock';

let clock: ManualClock;
let bucket: TokenBucket;
beforeEach(() => {
  clock = new ManualClock();
  bucket = new TokenBucket({ perSecond: 10, clock });
});

/** How many are taken until one is refused. */
const takenUntilRefused = (): number => {
  for (let taken = 0; ; taken += 1) if (bucket.take(1) > 0) return taken;
};

test('[LM2] five seconds’ worth may come at once; who waits as told gets a second’s worth, and so on', () => {
  expect(takenUntilRefused()).toBe(50);
  const waitMs = bucket.take(1);
  expect(waitMs).toBe(1_000);
  clock.advance(waitMs);
  expect(takenUntilRefused()).toBe(10);
});

test('[LM2] after a refusal everything is refused until then, with what is left of the wait', () => {
  takenUntilRefused();
  clock.advance(900);
  expect(bucket.take(1)).toBe(100);
  clock.advance(100);
  expect(bucket.take(1)).toBe(0);
});

test('[LM2] who keeps to the rate is never refused', () => {
  takenUntilRefused();
  clock.advance(1_000);
  for (let time = 0; time < 1_000; time += 1) {
    expect(bucket.take(1)).toBe(0);
    clock.advance(100);
  }
});

test('[LM2] one that is larger than all there is gets through, and the others wait until it is paid off', () => {
  expect(bucket.take(70)).toBe(0);
  expect(bucket.take(1)).toBe(3_000);
  clock.advance(3_000);
  expect(bucket.take(1)).toBe(0);
});
