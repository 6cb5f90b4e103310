import { makeHistory } from '../../src/tools/traces';
import type { ReplayReport } from '../../src/tools/replay-run';
import { replayWithFault } from './redis-replay';
import { ClusterRedis, SentinelRedis, SingleRedis, type AnyRedis } from './redis-topology';
import { World } from './redis-world';
import type { Processes, ServerProcess, Variables } from './server-process';

const START: Readonly<Record<AnyRedis['kind'], (instances: number) => Promise<AnyRedis>>> = {
  single: (instances) => SingleRedis.start(instances),
  sentinel: () => SentinelRedis.start(),
  cluster: () => ClusterRedis.start(),
};

/** As the server has it. */
const SAVE_LEASE_MS = 5_000;

/** A replay over several instances on a Redis of some kind, through what `happen` does to them. */
export async function replayThrough(options: {
  processes: Processes;
  kind: AnyRedis['kind'];
  happen: (world: World) => Promise<void>;
  instances?: number;
  instancesInUse?: number;
  seed?: number;
  edits?: number;
  faultAfter?: number;
  /** Of each author. */
  perSecond?: number;
  env?: Variables;
  /** The server's own unless told. */
  saveLeaseMs?: number;
  command?: readonly string[];
  stallMs?: number;
}): Promise<{ report: ReplayReport; servers: readonly ServerProcess[] }> {
  const { processes, kind, happen, instances = 3, seed = 1, edits = 2_000, env = {}, ...rest } = options;
  const { saveLeaseMs = SAVE_LEASE_MS } = options;
  const redis = await START[kind](instances);
  processes.onClean(() => redis.stop());
  return replayWithFault({
    ...rest,
    processes,
    instances,
    redis: (instance) => redis.variables(instance),
    history: makeHistory({ seed, edits, authors: 2 }),
    env: { SAVE_LEASE_MS: String(saveLeaseMs), ...env },
    fault: (cluster) => happen(new World(cluster, redis, { edits, saveLeaseMs })),
  });
}
