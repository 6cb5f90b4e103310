import type { AccessList } from '../../protocol/schemas';
import {
  refusalOf,
  type AccessSetting,
  type SessionRoles,
  type SetAccessResult,
  type StoredAccess,
} from '../session-roles';
import type { LmdbEngine } from './lmdb-engine';
import { appendAccessChange, getRecord, putRecord, putRole, rolesOf, userKey, type Tables } from './lmdb-tables';

export class LmdbSessionRoles implements SessionRoles {
  readonly #engine: LmdbEngine;

  constructor(engine: LmdbEngine) {
    this.#engine = engine;
  }

  of(sessionId: string, userId: string): Promise<StoredAccess | null> {
    return this.#engine.read((tables) => {
      const record = getRecord(tables, sessionId);
      if (!record) return null;
      const [, role] = tables.roles.get([sessionId, userKey(userId)]) ?? [userId, null];
      return { role, link: record.link };
    });
  }

  list(sessionId: string): Promise<AccessList | null> {
    return this.#engine.read((tables) => {
      const record = getRecord(tables, sessionId);
      if (!record) return null;
      const roles = [...rolesOf(tables, sessionId)].map(([userId, role]) => ({ userId, role }));
      return { roles: roles.sort((a, b) => (a.userId < b.userId ? -1 : 1)), link: record.link };
    });
  }

  set(setting: AccessSetting, at: number): Promise<SetAccessResult> {
    // On disk whatever the durability: who was shut out must not be in again after a loss of power.
    return this.#engine.write((tables) => set(tables, setting, at), { isOnDisk: true });
  }
}

function set(tables: Tables, setting: AccessSetting, at: number): SetAccessResult {
  const { sessionId } = setting;
  const record = getRecord(tables, sessionId);
  if (!record) return { status: 'not-found' };
  if ('link' in setting) {
    if (record.link === setting.link) return { status: 'set', number: null };
    putRecord(tables, { ...record, link: setting.link });
    return { status: 'set', number: appendAccessChange(tables, { kind: 'role', sessionId, userId: null }, at) };
  }
  const { userId, role } = setting;
  const user = userKey(userId);
  const [, before] = tables.roles.get([sessionId, user]) ?? [userId, null];
  if (before === role) return { status: 'set', number: null };
  const refusal = refusalOf(
    before,
    role,
    [...rolesOf(tables, sessionId)].map(([, given]) => given),
  );
  if (refusal) return { status: refusal };
  if (role) putRole(tables, sessionId, userId, role);
  else void tables.roles.remove([sessionId, user]);
  if (role && record.closedAt === undefined) void tables.listings.put([user, sessionId], true);
  else void tables.listings.remove([user, sessionId]);
  return { status: 'set', number: appendAccessChange(tables, { kind: 'role', sessionId, userId }, at) };
}
