import { endpoints } from './endpoints';
import { healthReport } from './health-report';
import type { HttpServices } from './http-services';
import { reasonsAgainst } from './readiness';
import { serve, type Route } from './serve';

/** GET /health, /health/live, /health/ready. */
export function healthRoutes(services: HttpServices): Route[] {
  return [
    serve(endpoints.health, () => {
      const value = healthReport(services);
      return { kind: 'json', status: value.status === 'unavailable' ? 503 : 200, value };
    }),

    serve(endpoints.live, () => ({ kind: 'json', value: { status: 'ok' as const } })),

    serve(endpoints.ready, () => {
      const reasons = reasonsAgainst(services);
      const ready = reasons.length === 0;
      return { kind: 'json', status: ready ? 200 : 503, value: { ready, reasons } };
    }),
  ];
}
