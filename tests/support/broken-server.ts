// A server with one fault built in: node --import tsx broken-server.ts <fault>. Configured and announced like the real one; shows that
// the tests which kill servers would find that fault.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { environment } from '../../config/environment';
import { loadConfig } from '../../config/load-config';
import { createApp } from '../../src/app';
import type { FlowOptions } from '../../src/flow';
import { systemClock } from '../../src/lib/clock';
import { createLogger } from '../../src/lib/logger';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { CarelessOrdering, UnreliableOrdering } from './broken-server-ordering';
import { HastyDocumentStore, RefusingDocumentStore } from './broken-server-store';
import { seededRandom } from '../../src/tools/seeded-random';

/** One append in so many loses its answer. */
const APPENDS_PER_LOSS = 50;
/** Much longer than the time from an announcement to a kill. */
const COMMIT_DELAY_MS = 3_000;

const config = loadConfig(environment());
const log = createLogger({ level: config.logLevel, instanceId: config.instanceId });

/** While this file is in its directory the store takes nothing. */
const REFUSE_FILE = join(config.documentDir, 'refuse');

function isToldToRefuse(): boolean {
  const isSo = existsSync(REFUSE_FILE);
  if (isSo) log.warn('the store refuses, as it was told to');
  return isSo;
}

const lmdb = (): LmdbDocumentStore =>
  new LmdbDocumentStore({ directory: config.documentDir, durability: config.documentDurability, log });

function losesNext(): () => boolean {
  const random = seededRandom(1);
  return () => random() < 1 / APPENDS_PER_LOSS;
}

const FAULTS: Readonly<Record<string, () => Pick<FlowOptions, 'ordering' | 'store'>>> = {
  /** No fault of the server's: the network's. */
  'lost-answers': () => ({
    ordering: new UnreliableOrdering(new MemoryEventOrdering({ clock: systemClock }), losesNext()),
  }),
  'lost-answers-without-duplicate-check': () => ({
    ordering: new UnreliableOrdering(new CarelessOrdering(), losesNext()),
  }),
  'saved-before-the-commit': () => ({
    store: new HastyDocumentStore(lmdb(), COMMIT_DELAY_MS),
  }),
  'refusing-store': () => ({ store: new RefusingDocumentStore(lmdb(), isToldToRefuse) }),
};

const fault = FAULTS[process.argv[2] ?? ''];
if (!fault) throw new Error(`Give one of ${Object.keys(FAULTS).join(', ')}.`);
const app = createApp(config, { log, ...fault() });
process.once('SIGTERM', () => void app.stop());
void app.start();
