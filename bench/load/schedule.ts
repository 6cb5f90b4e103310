const MS_PER_SECOND = 1_000;

/**
 * Calls `act` at random moments (a Poisson process, as many people typing independently are) for a while, with the moment it
 * was due and the moment it is. The schedule never waits for answers: a slow server does not get fewer edits, and an
 * edit that goes out late counts as late. Keeps its core busy, because a timer would come up to a millisecond late.
 */
export function atRandom(
  { perSecond, durationMs }: { perSecond: number; durationMs: number },
  act: (due: number, now: number) => void,
): Promise<void> {
  const meanGapMs = MS_PER_SECOND / perSecond;
  const gap = (): number => -Math.log(1 - Math.random()) * meanGapMs;
  const end = performance.now() + durationMs;
  let due = performance.now() + gap();
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        for (let now = performance.now(); due <= now && due < end; now = performance.now()) {
          act(due, now);
          due += gap();
        }
      } catch (fault) {
        return reject(fault instanceof Error ? fault : new Error(String(fault)));
      }
      if (performance.now() < end) setImmediate(turn);
      else resolve();
    };
    setImmediate(turn);
  });
}
