import { LatencyHistogram } from '../../src/telemetry/telemetry';

test('recent is this window and the last one; the rest is forgotten there, and counts since the start', () => {
  const latency = new LatencyHistogram();
  expect(latency.recent()).toEqual({ count: 0, p50: 0, p95: 0, p99: 0 });
  expect(latency.percentiles()).toEqual({ p50: 0, p99: 0 });
  for (let value = 0; value < 60; value += 1) latency.record(10);
  latency.turnWindow();
  for (let value = 0; value < 40; value += 1) latency.record(1_000);
  expect(latency.recent()).toMatchObject({ count: 100, p50: expect.closeTo(10, 1), p95: expect.closeTo(1_000, -1) });
  latency.turnWindow();
  expect(latency.recent()).toMatchObject({ count: 40, p50: expect.closeTo(1_000, -1) });
  latency.turnWindow();
  expect(latency.recent().count).toBe(0);
  expect(latency.percentiles()).toEqual({ p50: expect.closeTo(10, 1), p99: expect.closeTo(1_000, -1) });
});

test('what takes longer than an hour counts as an hour, and what takes no time as a microsecond', () => {
  const latency = new LatencyHistogram();
  latency.record(86_400_000);
  expect(latency.recent().p50 / 3_600_000).toBeCloseTo(1, 2);
  latency.record(0);
  latency.record(0);
  expect(latency.recent()).toMatchObject({ count: 3, p50: 0.001 });
});
