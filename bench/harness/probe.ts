// Loaded into every measured server before its own code (node --require): answers how much it has used.
// The same in all of them, and idle unless asked.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Answer, Question } from './probe-protocol';

/** Fine enough to see a delay of a few milliseconds; only while somebody measures. */
const DELAY_RESOLUTION_MS = 1;
const NANOSECONDS_PER_MS = 1_000_000;

const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

process.on('message', (question: Question) => {
  switch (question.ask) {
    case 'usage':
      return tell(question.id, {});
    case 'watch-delay':
      delay.reset();
      delay.enable();
      return tell(question.id, {});
    case 'delay': {
      delay.disable();
      // The histogram holds the time between two looks, of which its resolution is no delay.
      const maxDelayMs = Math.max(0, delay.max / NANOSECONDS_PER_MS - DELAY_RESOLUTION_MS);
      return tell(question.id, { maxDelayMs });
    }
    case 'collect-garbage':
      globalThis.gc?.();
      globalThis.gc?.();
      return tell(question.id, {});
  }
});

// Nobody is left who could stop this server, or who cares.
process.on('disconnect', () => process.exit());

function tell(id: number, more: { maxDelayMs?: number }): void {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ id, cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed, ...more } satisfies Answer);
}
