import { putRole, type Tables } from './lmdb-tables';

/**
 * From format 2 to 3: sessions have roles. Before, who made one owned it, and everybody else who knew its id could edit; so it stays until
 * somebody changes it.
 */
export function addRoles(tables: Tables): void {
  for (const { key: sessionId, value } of [...tables.records.getRange()]) {
    const [title, format, createdBy, createdAt, updatedAt, closedAt] = value;
    void tables.records.put(sessionId, [title, format, createdBy, createdAt, updatedAt, closedAt, 'editor']);
    putRole(tables, sessionId, createdBy, 'owner');
  }
}
