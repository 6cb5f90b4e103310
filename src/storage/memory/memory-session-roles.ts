import type { AccessList, Role } from '../../protocol/schemas';
import type { SessionRecord } from '../session-records';
import {
  refusalOf,
  type AccessSetting,
  type SessionRoles,
  type SetAccessResult,
  type StoredAccess,
} from '../session-roles';
import type { MemoryAccessChanges } from './memory-access-changes';

/** sessionId → userId → role. */
export type Granted = Map<string, Map<string, Role>>;

interface Tables {
  readonly records: Map<string, SessionRecord>;
  readonly granted: Granted;
  readonly accessChanges: MemoryAccessChanges;
}

export class MemorySessionRoles implements SessionRoles {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async of(sessionId: string, userId: string): Promise<StoredAccess | null> {
    const { records, granted } = this.#tables;
    const record = records.get(sessionId);
    return record ? { role: granted.get(sessionId)?.get(userId) ?? null, link: record.link } : null;
  }

  async list(sessionId: string): Promise<AccessList | null> {
    const { records, granted } = this.#tables;
    const record = records.get(sessionId);
    if (!record) return null;
    const roles = [...(granted.get(sessionId) ?? [])].map(([userId, role]) => ({ userId, role }));
    return { roles: roles.sort((a, b) => (a.userId < b.userId ? -1 : 1)), link: record.link };
  }

  async set(setting: AccessSetting, at: number): Promise<SetAccessResult> {
    const { records, granted, accessChanges } = this.#tables;
    const { sessionId } = setting;
    const record = records.get(sessionId);
    const roles = granted.get(sessionId);
    if (!record || !roles) return { status: 'not-found' };
    if ('link' in setting) {
      if (record.link === setting.link) return { status: 'set', number: null };
      records.set(sessionId, { ...record, link: setting.link });
      return { status: 'set', number: accessChanges.add({ kind: 'role', sessionId, userId: null }, at) };
    }
    const { userId, role } = setting;
    const before = roles.get(userId) ?? null;
    if (before === role) return { status: 'set', number: null };
    const refusal = refusalOf(before, role, [...roles.values()]);
    if (refusal) return { status: refusal };
    if (role) roles.set(userId, role);
    else roles.delete(userId);
    return { status: 'set', number: accessChanges.add({ kind: 'role', sessionId, userId }, at) };
  }
}
