import { Gauges } from '../../src/telemetry/gauges';
import { Telemetry } from '../../src/telemetry/telemetry';
import { systemClock } from '../../src/lib/clock';
import { eventually } from '../support/eventually';
import { ManualClock } from '../support/manual-clock';

describe('gauges', () => {
  test('the rate is that of the last ten seconds, and falls to 0 when nothing happens any more', () => {
    const clock = new ManualClock();
    const telemetry = new Telemetry();
    const gauges = new Gauges({ telemetry, clock });
    expect(gauges.operationsPerSecond).toBe(0);
    gauges.start();
    expect(gauges.operationsPerSecond).toBe(0);
    for (let second = 0; second < 30; second += 1) {
      telemetry.operations.ordered += 50;
      clock.advance(1_000);
    }
    expect(gauges.operationsPerSecond).toBeCloseTo(50);
    clock.advance(5_000);
    expect(gauges.operationsPerSecond).toBeCloseTo(25, -1);
    clock.advance(6_000);
    expect(gauges.operationsPerSecond).toBe(0);
    gauges.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('an event loop that is held up shows, and one that turns does not', async () => {
    const gauges = new Gauges({ telemetry: new Telemetry(), clock: systemClock });
    gauges.start();
    const holdUp = (ms: number) => {
      const endsAt = performance.now() + ms;
      while (performance.now() < endsAt);
    };
    await eventually('a stall was seen', () => {
      holdUp(150);
      return gauges.eventLoopLagMsP99 > 50;
    });
    gauges.stop();

    const calm = new Gauges({ telemetry: new Telemetry(), clock: new ManualClock() });
    expect(calm.eventLoopLagMsP99).toBe(0);
    calm.stop();
  });

  test('a stall is forgotten after two windows', async () => {
    const clock = new ManualClock();
    const gauges = new Gauges({ telemetry: new Telemetry(), clock });
    gauges.start();
    await eventually('a stall was seen', () => {
      const endsAt = performance.now() + 150;
      while (performance.now() < endsAt);
      return gauges.eventLoopLagMsP99 > 50;
    });
    clock.advance(10_000);
    expect(gauges.eventLoopLagMsP99).toBeGreaterThan(50);
    clock.advance(10_000);
    expect(gauges.eventLoopLagMsP99).toBe(0);
    gauges.stop();
  });
});
