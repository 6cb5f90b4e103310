import type { QueueLocks } from './stored-queue';

/** Locks among all tabs of one origin, given back by the browser when a tab goes, however it goes. Null where there are none. */
export function webLocks(): QueueLocks | null {
  if (typeof navigator === 'undefined' || !('locks' in navigator)) return null;
  const { locks } = navigator;
  return {
    tryAcquire: (name) =>
      new Promise((resolve, reject) => {
        locks
          .request(name, { ifAvailable: true }, (lock) => {
            if (!lock) return resolve(null);
            return new Promise<void>((release) => resolve(release));
          })
          .catch(reject);
      }),
  };
}
