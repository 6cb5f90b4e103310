import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { redisHealth } from './redis-health';
import { serveTiered, type Route } from './serve';

/** GET /ws/stats. How fast it is, an attacker had better not see. */
export function statsRoutes({
  instanceId,
  backends,
  sockets,
  openSessions,
  telemetry,
  gauges,
  redis,
}: HttpServices): Route[] {
  const details = () => ({
    latency: {
      orderMs: telemetry.orderMs.percentiles(),
      saveMs: telemetry.saveMs.percentiles(),
      deliverMs: telemetry.deliverMs.percentiles(),
      redisMs: telemetry.redisMs.percentiles(),
    },
    eventLoop: { lagMsP99: toTenths(gauges.eventLoopLagMsP99) },
  });

  return [
    serveTiered(endpoints.stats, async ({ isAdministrator }) => {
      const { local, cluster, users } = await sockets.stats();
      const { operations, limits, slowConsumersCut } = telemetry;
      return {
        kind: 'json',
        value: {
          instanceId,
          backends: { ...backends },
          connections: { local, cluster, slowConsumersCut: slowConsumersCut.count },
          users,
          sessions: { open: openSessions.size, participants: openSessions.participantCount },
          operations: { ...operations, perSecond: toTenths(gauges.operationsPerSecond) },
          limits: { ...limits },
          redis: redisHealth({ redis }),
          ...(isAdministrator ? details() : {}),
        },
      };
    }),
  ];
}

const toTenths = (value: number): number => Math.round(value * 10) / 10;
