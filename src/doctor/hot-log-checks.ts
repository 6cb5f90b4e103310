import type { Config } from '../../config/load-config';
import { readInstance } from '../instances/instance';
import { hasLostSaved } from '../live/older-stores';
import type { HotLog } from '../ordering/event-ordering';
import type { HotLogFiles } from '../ordering/hot-log-file';
import { serviceNames } from '../protocol/services';
import { fail, ok, warn, type Findings } from './finding';
import type { HotLogs } from './hot-logs';
import type { LmdbInspection } from '../storage/lmdb/lmdb-inspection';

/** Named one by one; more are only counted. */
const NAMED_SESSIONS = 10;

/** What Redis holds, beside the store and the flags. Only where Redis can be used. */
export async function* checkHotLogs(
  config: Config,
  hotLogs: HotLogs,
  files: HotLogFiles,
  store: LmdbInspection | null,
): Findings {
  try {
    await hotLogs.start();
    yield* checkInstances(config, hotLogs);
    if (store) yield* checkOlderStore(hotLogs, files, store);
    yield* checkUnsaved(hotLogs);
  } catch (fault) {
    yield fail('hot logs', fault instanceof Error ? fault.message : String(fault));
  } finally {
    await hotLogs.stop();
  }
}

async function* checkInstances({ configured }: Config, { redis, keys }: HotLogs): Findings {
  const leases = await redis.ask('list instances', async (client) => {
    const [seconds = '0'] = (await client.call('TIME')) as string[];
    return client.zrangebyscore(keys.instances(), Number(seconds) * 1_000, '+inf');
  });
  if (leases.length === 0) return yield ok('instances', 'none is registered in Redis');
  for (const instanceId of leases) {
    const text = await redis.ask('read instance', (client) => client.get(keys.instance(instanceId)));
    const instance = text === null ? null : readInstance(text);
    if (!instance) continue;
    const { host, process, backends } = instance;
    const who = `${instanceId} (pid ${process.pid} on ${host})`;
    const others = serviceNames.filter((service) => backends[service] !== configured[service]);
    yield others.length === 0
      ? ok('instances', `${who} is alive and runs with these flags`)
      : warn(
          'instances',
          `${who} runs with other flags: ${others.map((service) => `${service} in ${backends[service]}, here ${configured[service]}`).join('; ')}. Restart it, or change USE_REDIS_* here`,
        );
  }
}

/** ST4: sessions that the server will refuse, because less is stored than was saved. */
async function* checkOlderStore(hotLogs: HotLogs, files: HotLogFiles, store: LmdbInspection): Findings {
  let compared = 0;
  let older = 0;
  for await (const page of hotLogs.all()) {
    for (const [sessionId, hotLog] of page) {
      compared += 1;
      const stored = await store.head(sessionId);
      if (!(await hasLostSaved(store, sessionId, stored, hotLog))) continue;
      older += 1;
      if (older <= NAMED_SESSIONS) yield fail('older store', olderText(sessionId, stored?.seq, hotLog));
    }
  }
  if (older > NAMED_SESSIONS) yield fail('older store', `and ${older - NAMED_SESSIONS} more sessions`);
  if (older > 0) {
    yield fail('older store', `${older} of ${compared} sessions in Redis: ${REMEDY}`);
  } else yield ok('older store', `the store has all that is saved of the ${compared} sessions in Redis`);
  const written = await files.list();
  if (written.length > 0)
    yield warn(
      'exported hot logs',
      `${written.length}, the last ${written[written.length - 1]}: put one back with npm run doctor -- --replay-export <file>, and remove those that are of no use any more`,
    );
}

const REMEDY =
  'was an older backup restored, or is DOCUMENT_DIR another one? Put the right store back; or, to go on without what is missing, ' +
  'npm run doctor -- --accept-store <session> (or --accept-all)';

const olderText = (sessionId: string, storedSeq: number | undefined, { saved, head }: HotLog): string =>
  `${sessionId}: ${storedSeq === undefined ? 'the store does not know it' : `stored up to ${storedSeq}`}, saved up to ${saved.seq}, ordered up to ${head.seq}`;

async function* checkUnsaved({ redis, keys, ordering }: HotLogs): Findings {
  const marked = await redis.ask('read unsaved', (client) => client.smembers(keys.orderingUnsaved()));
  const logs = await ordering.describe(marked);
  const operations = logs.map((log) => (log ? log.head.seq - log.saved.seq : 0)).filter((count) => count > 0);
  if (operations.length === 0) return yield ok('unsaved', 'everything that is ordered is saved');
  const sum = operations.reduce((total, count) => total + count, 0);
  yield warn(
    'unsaved',
    `${sum} operations of ${operations.length} sessions are in Redis only; a running server saves them within seconds. Do not empty Redis before`,
  );
}
