import { health, stats } from '../../src/http/schemas';
import { makeHistory } from '../../src/tools/traces';
import { eventually } from '../support/eventually';
import { replayWithFault, type Cluster } from '../support/redis-replay';
import { RedisServer } from '../support/redis-server';
import { ask, Processes, type Variables } from '../support/server-process';

const processes = new Processes();
let redis: RedisServer;
beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const DEADLINE_MS = 180_000;
/** Saved between two steps: every stage does some of the work. */
const EDITS_PER_STAGE = 150;

interface Stage {
  readonly what: string;
  readonly collaboration: boolean;
  readonly websockets: boolean;
  readonly eventOrdering: boolean;
}

/** Week by week, back in one step, and on again. */
const STAGES: readonly Stage[] = [
  { what: 'collaboration', collaboration: true, websockets: false, eventOrdering: false },
  { what: '+ websockets', collaboration: true, websockets: true, eventOrdering: false },
  { what: '+ event ordering', collaboration: true, websockets: true, eventOrdering: true },
  { what: 'rollback', collaboration: false, websockets: false, eventOrdering: false },
  { what: 'all on again', collaboration: true, websockets: true, eventOrdering: true },
  { what: 'event ordering off', collaboration: true, websockets: true, eventOrdering: false },
  { what: 'event ordering on', collaboration: true, websockets: true, eventOrdering: true },
];

const flagsOf = ({ collaboration, websockets, eventOrdering }: Stage): Variables => ({
  USE_REDIS_COLLABORATION: String(collaboration),
  USE_REDIS_WEBSOCKETS: String(websockets),
  USE_REDIS_EVENT_ORDERING: String(eventOrdering),
});

const backend = (isOnRedis: boolean): string => (isOnRedis ? 'redis' : 'memory');

async function demandBackends({ servers: [server] }: Cluster, stage: Stage): Promise<void> {
  const url = server?.url ?? '';
  const names = ['collaboration', 'websockets', 'eventOrdering'] as const;
  const expected = Object.fromEntries(names.map((name) => [name, backend(stage[name])]));
  const { body } = await ask(`${url}/health`, health);
  expect(Object.fromEntries(names.map((name) => [name, body.services[name].backend]))).toEqual(expected);
  expect((await ask(`${url}/ws/stats`, stats)).body.backends).toEqual(expected);
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'services move to Redis one by one, back, and there again, each by a restart (%s), while two authors write: nothing is lost or doubled',
  async (signal) => {
    const { report } = await replayWithFault({
      processes,
      redis: { REDIS_URL: redis.url },
      instances: 1,
      env: flagsOf({ what: 'off', collaboration: false, websockets: false, eventOrdering: false }),
      history: makeHistory({ seed: 3, edits: 4_000, authors: 2 }),
      async fault(cluster) {
        const { saved } = cluster.running.register;
        for (const stage of STAGES) {
          const before = saved.length;
          await eventually('work in this stage', () => saved.length >= before + EDITS_PER_STAGE, 30_000);
          const ended = await cluster.servers[0]?.end(signal);
          expect(ended).toMatchObject(signal === 'SIGTERM' ? { code: 0 } : { signal });
          await cluster.restart(0, flagsOf(stage));
          await demandBackends(cluster, stage);
        }
      },
    });
    expect(report.problems).toEqual([]);
  },
  DEADLINE_MS,
);
