import { FlowError } from '../../protocol/errors';
import { gatherEntries } from './lmdb-format-2';
import { addRoles } from './lmdb-format-3';
import type { Tables } from './lmdb-tables';

/** Brings a store from one format to the next, inside the transaction that records it. */
export type Migration = (tables: Tables) => void;

/** `MIGRATIONS[0]` leads from format 1 to 2, and so on. */
const MIGRATIONS: readonly Migration[] = [
  // 2: entries that were saved together share a row.
  gatherEntries,
  // 3: roles.
  addRoles,
];

export const CURRENT_FORMAT = MIGRATIONS.length + 1;

/** ST11: a new store gets the current format, an older one is migrated, a newer one is refused. Runs in one write transaction. */
export function bringUpToFormat(tables: Tables, migrations: readonly Migration[] = MIGRATIONS): void {
  const current = migrations.length + 1;
  const stored = tables.meta.get('format') ?? current;
  if (stored > current) throw newerFormat(stored, current);
  for (const migrate of migrations.slice(stored - 1)) migrate(tables);
  void tables.meta.put('format', current);
}

/** A newer process may have migrated the store while this one was running: writing on in the old format would break it. */
export function checkFormat({ meta }: Tables): void {
  const stored = meta.get('format');
  if (stored !== CURRENT_FORMAT) throw newerFormat(stored ?? 0, CURRENT_FORMAT);
}

const newerFormat = (stored: number, current: number): FlowError =>
  new FlowError(
    'STORE_UNAVAILABLE',
    `The document store has format ${stored}, this version of the server knows formats up to ${current}: ` +
      `run a version that knows format ${stored}.`,
  );
