import type { Instance } from '../instances/instance';
import type { LatencyHistogram } from '../telemetry/telemetry';
import { endpoints } from './endpoints';
import { healthReport } from './health-report';
import type { HttpServices } from './http-services';
import { redisHealth } from './redis-health';
import { serveTiered, type Route } from './serve';

/** GET /ws/stats. How fast it is, who serves, and what goes wrong, an attacker had better not see. */
export function statsRoutes(services: HttpServices): Route[] {
  const { instanceId, backends, sockets, openSessions, telemetry, gauges, liveInstances, warnings } = services;
  const latencies = <T>(read: (histogram: LatencyHistogram) => T) => ({
    orderMs: read(telemetry.orderMs),
    saveMs: read(telemetry.saveMs),
    deliverMs: read(telemetry.deliverMs),
    redisMs: read(telemetry.redisMs),
  });
  const details = async () => ({
    latency: latencies((histogram) => histogram.percentiles()),
    recentLatency: latencies((histogram) => histogram.recent()),
    instances: (await liveInstances()).map((instance) => ({
      ...shownOf(instance),
      isThis: instance.instanceId === instanceId,
    })),
    warnings: warnings.newestFirst(),
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
          at: services.clock.now(),
          backends: { ...backends },
          connections: { local, cluster, slowConsumersCut: slowConsumersCut.count },
          users,
          sessions: { open: openSessions.size, participants: openSessions.participantCount },
          operations: { ...operations, perSecond: toTenths(gauges.operationsPerSecond) },
          limits: { ...limits },
          redis: redisHealth(services),
          health: healthReport(services),
          ...(isAdministrator ? await details() : {}),
        },
      };
    }),
  ];
}

/** What says nothing of the machine. */
const shownOf = ({ instanceId, host, version, startedAt, isServing, connections, users }: Instance) => ({
  instanceId,
  host,
  version,
  startedAt,
  isServing,
  connections,
  users,
});

const toTenths = (value: number): number => Math.round(value * 10) / 10;
