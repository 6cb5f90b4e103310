import type { z } from 'zod';
import { forEachService, type ServiceName } from '../protocol/services';
import type { HttpServices } from './http-services';
import { reasonsAgainst } from './readiness';
import { redisHealth } from './redis-health';
import type { health, Reason } from './schemas';

export type Health = z.output<typeof health>;

/** What /health says, and with it /ws/stats. No session is named here: to know an id may be to have access. */
export function healthReport(services: HttpServices): Health {
  const reasons = reasonsAgainst(services);
  const store = storeHealth(services, reasons);
  const parts = forEachService((name) => serviceHealth(services, name));
  const isAllWell = [store, ...Object.values(parts)].every((part) => part.status === 'ok');
  return {
    status: overall(reasons, isAllWell),
    instanceId: services.instanceId,
    version: services.version,
    uptimeSeconds: Math.floor((services.clock.monotonic() - services.startedAtMonotonic) / 1_000),
    services: parts,
    store,
    redis: redisHealth(services),
    reasons,
  };
}

function storeHealth({ store, saver, olderStores }: HttpServices, reasons: readonly Reason[]): Health['store'] {
  const { unsavedSessions, oldestUnsavedMs, failure } = saver.status();
  const older = olderStores?.size ?? 0;
  const isStalled = reasons.some(({ code }) => code === 'saving-stalled');
  const isFailing = failure !== undefined || reasons.some(({ code }) => code === 'store-missing');
  return {
    kind: store.kind,
    durability: store.operationLog.durability,
    status: isStalled ? 'stalled' : isFailing ? 'failing' : older > 0 ? 'older' : 'ok',
    olderThanHotLog: older,
    unsavedSessions: unsavedSessions.length,
    oldestUnsavedMs,
    ...(failure === undefined ? {} : { failure }),
  };
}

function serviceHealth({ backends, configured }: HttpServices, name: ServiceName): Health['services'][ServiceName] {
  const backend = backends[name];
  const wanted = configured[name];
  return { backend, configured: wanted, status: backend === wanted ? 'ok' : 'degraded' };
}

/** Sessions that another process took are gone from here; the others are still served. */
function overall(reasons: readonly Reason[], isAllWell: boolean): Health['status'] {
  if (reasons.some(({ code }) => code !== 'sessions-taken-over')) return 'unavailable';
  return reasons.length === 0 && isAllWell ? 'ok' : 'degraded';
}
