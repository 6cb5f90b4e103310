import { replay, type ReplayReport, type RunningReplay } from '../../src/tools/replay-run';
import { makeHistory, type History } from '../../src/tools/traces';
import { eventually } from './eventually';
import { portToComeBackTo, type Processes, type ServerProcess, type Variables } from './server-process';

/** What a fault may take hold of. */
export interface Cluster {
  readonly servers: ServerProcess[];
  /** Directory of the store. */
  readonly documents: string;
  readonly running: RunningReplay;
  /** Starts the server of this place again, on the same port; with other variables, if any. */
  restart(index: number, env?: Variables): Promise<void>;
}

export interface FaultyReplay {
  readonly report: ReplayReport;
  readonly servers: readonly ServerProcess[];
}

const ALL_ON_REDIS: Variables = {
  USE_REDIS_EVENT_ORDERING: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
};
/** Edits per second and author: slow enough that a fault finds the replay under way. */
const PER_SECOND = 400;
/** Clients look for their server again at once, so that a fault costs the test little. */
const BACKOFF = { firstMs: 20, ceilingMs: 400 };

/** Replays a history over several servers on one Redis and one store, and lets `fault` happen in the middle of it. */
export async function replayWithFault(options: {
  processes: Processes;
  /** Where Redis is, for all or for each instance. */
  redis: Variables | ((instance: number) => Variables);
  instances?: number;
  /** Instances that have clients: all of them, or the first so many. */
  instancesInUse?: number;
  history?: History;
  /** Edits that are saved before the fault; a third of them unless told. */
  faultAfter?: number;
  /** Edits per second of each author; null: as fast as the servers take them. */
  perSecond?: number | null;
  env?: Variables;
  /** Another program than the built server. */
  command?: readonly string[];
  /** Gives up after so long without anything being saved. */
  stallMs?: number;
  fault: (cluster: Cluster) => Promise<void>;
}): Promise<FaultyReplay> {
  const { processes, redis, instances = 3, perSecond = PER_SECOND, env = {}, command, stallMs, fault } = options;
  const history = options.history ?? makeHistory({ seed: 1, edits: 2_400, authors: 2 });
  const { faultAfter = history.edits.length / 3 } = options;
  const documents = await processes.directory();
  const ports = await Promise.all(Array.from({ length: instances }, () => portToComeBackTo()));
  const start = (index: number, changes: Variables = {}): Promise<ServerProcess> =>
    processes.startServer({
      documents,
      port: ports[index] ?? 0,
      ...(command ? { command } : {}),
      env: {
        ...ALL_ON_REDIS,
        ...(typeof redis === 'function' ? redis(index) : redis),
        FLOW_SECRET: 'the same on every instance',
        INSTANCE_ID: `i${index}`,
        ...env,
        ...changes,
      },
    });
  const servers = await Promise.all(ports.map((_, index) => start(index)));
  let happening: Promise<void> = Promise.resolve();
  const report = await replay({
    urls: servers.slice(0, options.instancesInUse).map(({ url }) => url),
    history,
    perSecond,
    backoff: BACKOFF,
    ...(stallMs === undefined ? {} : { stallMs }),
    onStarted: (running) => {
      const cluster: Cluster = {
        servers,
        documents,
        running,
        async restart(index, changes) {
          servers[index] = await start(index, changes);
        },
      };
      happening = (async () => {
        await eventually('work before the fault', () => running.register.saved.length > faultAfter, 60_000);
        await fault(cluster);
      })().catch((cause: unknown) => running.register.problem(`the fault did not happen: ${String(cause)}`));
    },
    onWritten: () => happening,
  });
  return { report, servers };
}
