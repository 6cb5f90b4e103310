export interface Question {
  readonly id: number;
  readonly ask: 'usage' | 'watch-delay' | 'delay' | 'collect-garbage';
}

export interface Answer {
  readonly id: number;
  /** User and system time of the whole process, all its threads. */
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Only in answer to `delay`: longest time the event loop did not turn since `watch-delay`. */
  readonly maxDelayMs?: number;
}
