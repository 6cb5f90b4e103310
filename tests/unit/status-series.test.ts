import type { Stats } from '../../src/web/status/answer';
import { Series } from '../../src/web/status/series';

const NOTHING = { count: 0, p50: 0, p95: 0, p99: 0 };

/** What matters here of an answer. */
function answer(ordered: number, latency?: Stats['recentLatency']): Stats {
  const operations = { ordered, saved: ordered, delivered: 2 * ordered, refused: 0, gapsRepaired: 0, forks: 0 };
  return { operations, ...(latency ? { recentLatency: latency } : {}) } as Stats;
}

test('rates are what counters have grown by; the first answer has none', () => {
  const series = new Series();
  series.add(answer(100), 1_000);
  expect(series.latest?.perSecond).toEqual({ order: null, save: null, deliver: null });
  series.add(answer(150), 3_000);
  expect(series.latest?.perSecond).toEqual({ order: 25, save: 25, deliver: 50 });
});

test('a counter that fell is that of a new process, and a long silence hides what happened', () => {
  const series = new Series();
  series.add(answer(100), 0);
  series.add(answer(10), 2_000);
  expect(series.latest?.perSecond.order).toBeNull();
  series.add(answer(20), 60_000);
  expect(series.latest?.perSecond.order).toBeNull();
  series.add(answer(40), 62_000);
  expect(series.latest?.perSecond.order).toBe(10);
});

test('latencies of nothing are not known', () => {
  const series = new Series();
  const orderMs = { count: 3, p50: 1, p95: 2, p99: 3 };
  series.add(answer(0, { orderMs, saveMs: NOTHING, deliverMs: NOTHING }), 0);
  expect(series.latest?.latency).toEqual({ order: orderMs, save: null, deliver: null });
});

test('ten minutes are kept', () => {
  const series = new Series();
  for (let second = 0; second <= 3_600; second += 2) series.add(answer(second), second * 1_000);
  expect(series.samples[0]?.at).toBe(3_000_000);
  expect(series.samples).toHaveLength(301);
});
