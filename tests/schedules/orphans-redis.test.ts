import { loadConfig } from '../../config/load-config';
import type { App, createApp } from '../../src/app';
import { silentLogger } from '../../src/lib/logger';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { RedisServer } from '../support/redis-server';
import { loadChanged, type SourceChange } from '../support/schedule/changed-source';
import { elapsed } from '../support/schedule/pipe';
import { TcpProxy } from '../support/schedule/tcp-proxy';
import { INVARIANTS } from '../support/schedule/trace';
import { WireClient } from '../support/wire-client';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

const OPERATIONS = 3;
/** Many times what it takes with the times below. */
const DEADLINE_MS = 3_000;
/** Much longer than the keys of a released session stay with them. */
const LONGER_THAN_KEYS_STAY_MS = 400;

const inOrdering = (find: string, replace: string): SourceChange => ({ folder: 'src/ordering', find, replace });

/** A lease ends, and orphans are looked for, so much sooner than in life. */
const QUICK: readonly SourceChange[] = [
  inOrdering('const LEASE_MS = 5_000;', 'const LEASE_MS = 300;'),
  inOrdering('const IDLE_TTL_MS = 60_000;', 'const IDLE_TTL_MS = 100;'),
  { folder: 'src/live', find: 'const ORPHAN_INTERVAL_MS = 2_000;', replace: 'const ORPHAN_INTERVAL_MS = 50;' },
];

type Ending = 'is cut off' | 'stops in order';

/**
 * An instance orders what its store does not take, its client goes for good, and so does the instance. Answers the invariant that is broken
 * when the other one does not save it by itself; nothing: it did.
 */
async function breachOf(changes: readonly SourceChange[], ending: Ending): Promise<string | undefined> {
  const { createApp: create } = loadChanged('src/app.ts', [...QUICK, ...changes]) as { createApp: typeof createApp };
  const truth = new MemoryDocumentStore();
  const proxy = new TcpProxy(() => redis.port);
  await proxy.start();
  prefixes += 1;
  const instance = (instanceId: string, store: FaultyStore, port: number): App => {
    const {
      backends,
      configured,
      redis: settings,
    } = loadConfig({
      REDIS_URL: `redis://127.0.0.1:${port}`,
      REDIS_KEY_PREFIX: `orphans-${prefixes}:`,
      USE_REDIS_EVENT_ORDERING: 'true',
      USE_REDIS_COLLABORATION: 'true',
      USE_REDIS_WEBSOCKETS: 'true',
    });
    const own = {
      instanceId,
      backends,
      configured,
      redis: settings,
      host: '127.0.0.1',
      port: 0,
      stopDeadlineMs: 1_000,
    };
    return create({ ...loadConfig({}), ...own }, { store, log: silentLogger });
  };
  const refusing = new FaultyStore(truth);
  const [dying, saving] = [
    instance('dying', refusing, proxy.port),
    instance('saving', new FaultyStore(truth), redis.port),
  ];
  try {
    await dying.start();
    if (ending === 'is cut off') await saving.start();
    const client = await WireClient.connect(dying.url, { user: 'ada' });
    const { session } = await client.demand('session:create', { format: 'json' });
    const { sessionId } = session;
    await client.demand('session:join', { sessionId });
    refusing.isFull = true;
    for (let clientSeq = 1; clientSeq <= OPERATIONS; clientSeq += 1)
      await client.demand('operation:submit', { sessionId, clientSeq, operations: [clientSeq] });
    client.close();
    if (ending === 'is cut off') {
      proxy.block();
      proxy.cut();
    } else {
      await dying.stop();
      await elapsed(LONGER_THAN_KEYS_STAY_MS);
      await saving.start();
    }
    const isSaved = async (): Promise<boolean> => (await truth.operationLog.head(sessionId))?.seq === OPERATIONS;
    return await eventually('it is saved', isSaved, DEADLINE_MS).then(
      () => undefined,
      () => INVARIANTS.complete,
    );
  } finally {
    await Promise.all([dying.stop(), saving.stop()]);
    await proxy.stop();
  }
}

/** Each run has keys of its own. */
let prefixes = 0;

const RULES_OFF: ReadonlyArray<readonly [rule: string, instead: string, ending: Ending, changes: SourceChange[]]> = [
  [
    'SV2',
    'a session is not marked before its first append',
    'is cut off',
    [
      inOrdering(
        "await this.#redis.ask('mark unsaved', (client) => client.sadd(this.#keys.orderingUnsaved(), ...sessionIds));",
        '',
      ),
    ],
  ],
  [
    'SV2',
    'a session loses its mark although not all of it is saved',
    'is cut off',
    [inOrdering('return log ? log.head.seq > log.saved.seq : false;', 'void log;\nreturn false;')],
  ],
  [
    'SV2',
    'the keys of a session expire although not all of it is saved',
    'stops in order',
    [
      inOrdering(
        'if not meta[1] or meta[2] ~= meta[3] then return 0 end\nfor',
        'if not meta[1] then return 0 end\nfor',
      ),
    ],
  ],
  [
    'SV1',
    'a save lease does not end with its holder',
    'is cut off',
    [inOrdering("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])", "redis.call('SET', KEYS[1], ARGV[1])")],
  ],
];

describe('what was ordered is saved in the end, though its author and the instance are gone; and where a rule is not kept, it is not', () => {
  test.concurrent.each(RULES_OFF)('[%s] %s', async (_rule, _instead, ending, changes) => {
    expect(await breachOf(changes, ending)).toBe(INVARIANTS.complete);
    expect(await breachOf([], ending)).toBeUndefined();
  });
});
