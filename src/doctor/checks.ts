import { join } from 'node:path';
import type { Config } from '../../config/load-config';
import { HotLogFiles } from '../ordering/hot-log-file';
import type { LmdbInspection } from '../storage/lmdb/lmdb-inspection';
import { ok, warn, type Findings } from './finding';
import { checkHotLogs } from './hot-log-checks';
import { HotLogs } from './hot-logs';
import { checkRedis } from './redis-checks';
import { checkStore } from './store-checks';

/** Folder of exported hot logs in DOCUMENT_DIR. */
export const exportsOf = ({ documentDir }: Pick<Config, 'documentDir'>): HotLogFiles =>
  new HotLogFiles(join(documentDir, 'exports'));

/** Everything but the settings themselves, in the order in which one thing rests on another. */
export async function* checkAll(config: Config): Findings {
  const flags = Object.entries(config.configured).map(([service, backend]) => `${service} ${backend}`);
  yield ok('flags', `${flags.join(', ')} (USE_REDIS_*)`);
  const usesRedis = Object.values(config.configured).includes('redis');
  let isUsable = false;
  if (usesRedis || config.redis.isAddressGiven) {
    isUsable = true;
    for await (const finding of checkRedis(config.redis)) {
      if (finding.status === 'FAIL') isUsable = false;
      // Where no flag asks for it, a Redis that is not well keeps nobody from starting.
      yield finding.status === 'FAIL' && !usesRedis
        ? warn(finding.what, `${finding.message} No USE_REDIS_* flag asks for it yet.`)
        : finding;
    }
  } else yield ok('redis', 'not used: no USE_REDIS_* flag is on');

  const compare = (store: LmdbInspection | null): Findings =>
    isUsable ? checkHotLogs(config, new HotLogs(config), exportsOf(config), store) : nothing();
  let isCompared = false;
  yield* checkStore(config, (store) => {
    isCompared = true;
    return compare(store);
  });
  if (!isCompared) yield* compare(null);
}

async function* nothing(): Findings {}
