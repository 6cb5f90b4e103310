import { access, constants, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../../config/load-config';
import { isProcessThere } from '../instances/process-life';
import { explain, faultCode } from '../lib/system-faults';
import { refuseNetworkDisk } from '../storage/lmdb/lmdb-disk';
import { LmdbInspection } from '../storage/lmdb/lmdb-inspection';
import { fail, ok, warn, type Finding, type Findings } from './finding';

const MIB = 1_048_576;
/** With less, a busy day may fill the disk. */
const LITTLE_MIB = 1_024;
/** With less, a backlog of unsaved operations (MAX_UNSAVED_BYTES) would not fit. */
const NONE_MIB = 64;
/** An epoch is opened when the server starts or loses sight of Redis; so many tell of processes that fence each other. */
const MANY_EPOCHS = 10_000;

/** The document store, looked at from outside. `use` gets it, open, for what else is to be compared with it. */
export async function* checkStore(
  { documentStore, documentDir, configured }: Config,
  use: (store: LmdbInspection) => Findings,
): Findings {
  if (documentStore === 'memory')
    return yield warn('store', 'DOCUMENT_STORE=memory: documents are gone when the process ends');
  let store: LmdbInspection | null;
  try {
    yield await diskOf(documentDir);
    store = await LmdbInspection.open(documentDir);
  } catch (fault) {
    return yield fail('store', `${documentDir} cannot be read (DOCUMENT_DIR). ${explain(fault)}`);
  }
  if (!store) return yield ok('store', `${documentDir} has none yet: it is made when the server starts`);
  try {
    const { format, knownFormat, bytes } = store;
    if (format > knownFormat)
      return yield fail(
        'store',
        `${documentDir} has format ${format}, and this version knows formats up to ${knownFormat}: run a newer version`,
      );
    const { sessions, highest } = store.summary();
    const older = format < knownFormat ? '; it is migrated when the server starts' : '';
    yield ok(
      'store',
      `${documentDir}: format ${format}${older}, ${sessions} sessions, ${Math.ceil(bytes / MIB)} MiB, can be read`,
    );
    if (highest)
      yield highest.epoch > MANY_EPOCHS
        ? warn(
            'store epochs',
            `session ${highest.sessionId} was opened ${highest.epoch} times: do processes take it from each other?`,
          )
        : ok('store epochs', `up to ${highest.epoch}`);
    yield usersOf(store, configured.eventOrdering);
    yield* use(store);
  } finally {
    await store.close();
  }
}

async function diskOf(directory: string): Promise<Finding> {
  const existing = await nearestExisting(directory);
  await refuseNetworkDisk(existing);
  await access(existing, constants.W_OK);
  const { bavail, bsize } = await statfs(existing);
  const freeMib = Math.floor((bavail * bsize) / MIB);
  const text = `${freeMib} MiB free at ${existing} (DOCUMENT_DIR)`;
  if (freeMib < NONE_MIB) return fail('store disk', `${text}: make room, or nothing more can be saved`);
  return freeMib < LITTLE_MIB ? warn('store disk', `${text}: make room`) : ok('store disk', text);
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch (fault) {
    const above = dirname(path);
    if (faultCode(fault) !== 'ENOENT' || above === path) throw fault;
    return nearestExisting(above);
  }
}

function usersOf(store: LmdbInspection, ordering: Config['configured']['eventOrdering']): Finding {
  const pids = store.users().filter(isProcessThere);
  if (pids.length === 0) return ok('store in use', 'by no other process');
  const text = `by process ${pids.join(', ')}`;
  return pids.length > 1 && ordering === 'memory'
    ? warn('store in use', `${text}: with event ordering in memory only one server may run (USE_REDIS_EVENT_ORDERING)`)
    : ok('store in use', text);
}
