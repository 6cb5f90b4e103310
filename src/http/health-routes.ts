import type { z } from 'zod';
import { forEachService, type ServiceName } from '../protocol/services';
import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { reasonsAgainst } from './readiness';
import { redisHealth } from './redis-health';
import type { health, Reason } from './schemas';
import { serve, type Route } from './serve';

type Health = z.output<typeof health>;

/** GET /health, /health/live, /health/ready. No session is named here: to know an id may be to have access. */
export function healthRoutes(services: HttpServices): Route[] {
  const { clock } = services;
  const startedAt = clock.monotonic();

  return [
    serve(endpoints.health, () => {
      const reasons = reasonsAgainst(services);
      const store = storeHealth(services, reasons);
      const parts = forEachService((name) => serviceHealth(services, name));
      const isAllWell = [store, ...Object.values(parts)].every((part) => part.status === 'ok');
      const status = overall(reasons, isAllWell);
      return {
        kind: 'json',
        status: status === 'unavailable' ? 503 : 200,
        value: {
          status,
          instanceId: services.instanceId,
          version: services.version,
          uptimeSeconds: Math.floor((clock.monotonic() - startedAt) / 1_000),
          services: parts,
          store,
          redis: redisHealth(services),
          reasons,
        },
      };
    }),

    serve(endpoints.live, () => ({ kind: 'json', value: { status: 'ok' as const } })),

    serve(endpoints.ready, () => {
      const reasons = reasonsAgainst(services);
      const ready = reasons.length === 0;
      return { kind: 'json', status: ready ? 200 : 503, value: { ready, reasons } };
    }),
  ];
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
