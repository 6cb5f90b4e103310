import type { HttpServices } from './http-services';
import type { Reason } from './schemas';

type Watched = Pick<HttpServices, 'phase' | 'guard' | 'store' | 'saver' | 'openSessions' | 'saveStallMs' | 'redis'>;

/** Everything that speaks against sending traffic here; empty: ready. */
export function reasonsAgainst({ phase, guard, store, saver, openSessions, saveStallMs, redis }: Watched): Reason[] {
  const reasons: Reason[] = [];
  switch (phase()) {
    case 'starting':
      reasons.push({ code: 'starting', message: 'The server is starting.' });
      break;
    case 'draining':
      reasons.push({ code: 'draining', message: 'The server is stopping.' });
      break;
    case 'ready':
  }
  if (guard.reason !== null) reasons.push({ code: 'another-instance', message: guard.reason });
  const trouble = store.trouble?.() ?? null;
  if (trouble !== null) reasons.push({ code: 'store-missing', message: trouble });
  const { unsavedSessions, oldestUnsavedMs, failure } = saver.status();
  if (oldestUnsavedMs > saveStallMs) {
    reasons.push({
      code: 'saving-stalled',
      message:
        'The document store does not take what was ordered. Clients keep their operations; editing goes on while memory lasts.',
      unsavedSessions: unsavedSessions.length,
      oldestUnsavedMs,
      ...(failure === undefined ? {} : { failure }),
    });
  }
  if (openSessions.movedSessions.size > 0) {
    reasons.push({
      code: 'sessions-taken-over',
      message:
        'Another process on the same document store has taken sessions over. Only one may run while event ordering is in memory: stop this one.',
      sessions: openSessions.movedSessions.size,
    });
  }
  if (redis?.status === 'unavailable') {
    reasons.push({
      code: 'redis-unavailable',
      message: `Redis at ${redis.where} cannot be reached. Clients keep their operations; editing goes on when it is back.`,
    });
  }
  return reasons;
}
