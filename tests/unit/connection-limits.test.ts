import { ConnectionLimits } from '../../src/limits/connection-limits';
import { MemoryRateLimits } from '../../src/limits/memory-rate-limits';
import { UserLimits } from '../../src/limits/user-limits';
import { ManualClock } from '../support/manual-clock';

const SETTINGS = {
  editsPerSecond: 10,
  awarenessPerSecond: 20,
  requestsPerSecond: 5,
  receivedBytesPerSecond: 1_000_000,
  maxIgnoredRefusals: 100,
};
const USERS = {
  userEditsPerSecond: 0,
  userReceivedBytesPerSecond: 0,
  userJoinsPerMinute: 0,
  userCreatesPerMinute: 0,
};
const FRAME_BYTES = 100;

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

function connection(settings: Partial<typeof SETTINGS & typeof USERS> = {}): ConnectionLimits {
  const all = { ...SETTINGS, ...USERS, ...settings };
  const users = new UserLimits({ rateLimits: new MemoryRateLimits({ clock }), settings: all, clock });
  return new ConnectionLimits({ settings: all, user: users.of('ann'), clock });
}

/** How many of this event are let through in a row. */
const passed = (limits: ConnectionLimits, event: string): number => {
  for (let count = 0; ; count += 1) {
    limits.received(FRAME_BYTES);
    if (limits.refusalOf(event)) return count;
  }
};

test('[LM2] edits, cursors and all other events are limited each for itself', () => {
  const limits = connection();
  expect(passed(limits, 'operation:submit')).toBe(50);
  expect(passed(limits, 'awareness:update')).toBe(100);
  expect(passed(limits, 'session:leave')).toBe(25);
  expect(limits.refusalOf('there is no such event')?.code).toBe('RATE_LIMITED');
});

test('[LM1] a refusal says for how long to wait, and who does gets through', () => {
  const limits = connection();
  passed(limits, 'operation:submit');
  const refusal = limits.refusalOf('operation:submit');
  expect(refusal?.toWire()).toMatchObject({ code: 'RATE_LIMITED', action: 'wait', retryAfterMs: 1_000 });
  clock.advance(refusal?.details.retryAfterMs ?? 0);
  expect(limits.refusalOf('operation:submit')).toBeNull();
});

test('[LM1] a limit of 0 is none', () => {
  const limits = connection({
    editsPerSecond: 0,
    awarenessPerSecond: 0,
    requestsPerSecond: 0,
    receivedBytesPerSecond: 0,
  });
  for (let count = 0; count < 10_000; count += 1) {
    limits.received(1_000_000);
    for (const event of ['operation:submit', 'awareness:update', 'session:join'])
      expect(limits.refusalOf(event)).toBeNull();
  }
  expect(limits.isIgnoringRefusals).toBe(false);
});

test('[LM2] bytes are counted, whatever is in them; at the bound everything is refused until they are paid off', () => {
  const limits = connection();
  limits.received(5_500_000);
  expect(limits.refusalOf('operation:submit')).toBeNull();
  limits.received(1);
  const refusal = limits.refusalOf('awareness:update');
  expect(refusal?.details.retryAfterMs).toBe(1_500);
  expect(limits.refusalOf('operation:submit')?.code).toBe('RATE_LIMITED');
  clock.advance(1_500);
  limits.received(1);
  expect(limits.refusalOf('operation:submit')).toBeNull();
});

test('[LM3] all connections of a user together have what the user has', async () => {
  const settings = { ...SETTINGS, ...USERS, editsPerSecond: 0, userEditsPerSecond: 10 };
  const users = new UserLimits({ rateLimits: new MemoryRateLimits({ clock }), settings, clock });
  const connectionOf = (userId: string) => new ConnectionLimits({ settings, user: users.of(userId), clock });
  const connections = [connectionOf('ann'), connectionOf('ann'), connectionOf('ann')];
  let taken = 0;
  while (!connections[taken % 3]?.refusalOf('operation:submit')) {
    taken += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(taken).toBeGreaterThanOrEqual(90);
  expect(taken).toBeLessThanOrEqual(110);
  expect(connectionOf('bob').refusalOf('operation:submit')).toBeNull();
});

describe('[LM4] who ignores refusals', () => {
  test('is noticed soon', () => {
    const limits = connection();
    let sent = 0;
    // Fifty times what is allowed.
    for (; !limits.isIgnoringRefusals && sent < 5_000; sent += 1) {
      limits.received(FRAME_BYTES);
      limits.refusalOf('operation:submit');
      clock.advance(2);
    }
    expect(sent).toBeLessThan(700);
  });

  test('by large frames, sooner', () => {
    const limits = connection();
    let frames = 0;
    for (; !limits.isIgnoringRefusals && frames < 100; frames += 1) limits.received(1_000_000);
    expect(frames).toBeLessThan(10);
  });

  test('by what is no event, too', () => {
    const limits = connection();
    let frames = 0;
    for (; !limits.isIgnoringRefusals && frames < 10_000; frames += 1) limits.received(1);
    expect(frames).toBeLessThan(1_000);
  });

  test('is not who had sent much before it could read the first one, waits, and does so again and again', () => {
    const limits = connection();
    for (let episode = 0; episode < 100; episode += 1) {
      let refused = 0;
      let waitMs = 0;
      while (refused < 64) {
        limits.received(FRAME_BYTES);
        const refusal = limits.refusalOf('operation:submit');
        if (refusal) refused += 1;
        waitMs = refusal?.details.retryAfterMs ?? waitMs;
      }
      expect(limits.isIgnoringRefusals).toBe(false);
      clock.advance(waitMs);
    }
  });
});
