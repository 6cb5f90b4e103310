import type { z } from 'zod';
import type { HttpServices } from './http-services';
import type { health } from './schemas';

/** What /health and /ws/stats say of Redis. */
export function redisHealth({ redis }: Pick<HttpServices, 'redis'>): z.output<typeof health>['redis'] {
  if (!redis) return { mode: 'none', status: 'unused' };
  const { mode, status, latencyMs } = redis;
  return { mode, status, ...(latencyMs === undefined ? {} : { latencyMs }) };
}
