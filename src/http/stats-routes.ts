import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { redisHealth } from './redis-health';
import { serve, type Route } from './serve';

/** GET /ws/stats. */
export function statsRoutes({
  instanceId,
  backends,
  sockets,
  openSessions,
  telemetry,
  gauges,
  redis,
}: HttpServices): Route[] {
  return [
    serve(endpoints.stats, async () => {
      const { local, cluster, users } = await sockets.stats();
      const { orderMs, saveMs, deliverMs, redisMs, operations, slowConsumersCut } = telemetry;
      return {
        kind: 'json',
        value: {
          instanceId,
          backends: { ...backends },
          connections: { local, cluster, slowConsumersCut: slowConsumersCut.count },
          users,
          sessions: { open: openSessions.size, participants: openSessions.participantCount },
          operations: { ...operations, perSecond: toTenths(gauges.operationsPerSecond) },
          latency: {
            orderMs: orderMs.percentiles(),
            saveMs: saveMs.percentiles(),
            deliverMs: deliverMs.percentiles(),
            redisMs: redisMs.percentiles(),
          },
          redis: redisHealth({ redis }),
          eventLoop: { lagMsP99: toTenths(gauges.eventLoopLagMsP99) },
        },
      };
    }),
  ];
}

const toTenths = (value: number): number => Math.round(value * 10) / 10;
