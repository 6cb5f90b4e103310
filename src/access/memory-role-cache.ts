import type { Clock } from '../lib/clock';
import { isBelievable, type Believable, type CachedAccess, type RoleCache } from './role-cache';

/** Some ten megabytes; beyond it, those put first are forgotten first. */
const MAX_ROWS = 50_000;

interface Row {
  readonly access: CachedAccess;
  /** Monotonic. */
  readonly endsAt: number;
}

interface MemoryRoleCacheOptions {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly maxRows?: number;
}

/** What this process has read. */
export class MemoryRoleCache implements RoleCache {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #maxRows: number;
  /** Those put first, first. */
  readonly #rows = new Map<string, Row>();

  constructor({ clock, ttlMs, maxRows = MAX_ROWS }: MemoryRoleCacheOptions) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#maxRows = maxRows;
  }

  get size(): number {
    return this.#rows.size;
  }

  async get(sessionId: string, userId: string, believable: Believable): Promise<CachedAccess | null> {
    const row = this.#rows.get(keyOf(sessionId, userId));
    if (!row || this.#isOver(row) || !isBelievable(row.access, believable)) return null;
    return row.access;
  }

  async put(sessionId: string, userId: string, access: CachedAccess): Promise<void> {
    this.keep(sessionId, userId, access, this.#ttlMs);
  }

  /** The same for so long, because it was put earlier elsewhere. */
  keep(sessionId: string, userId: string, access: CachedAccess, forMs: number): void {
    const key = keyOf(sessionId, userId);
    this.#rows.delete(key);
    this.#rows.set(key, { access, endsAt: this.#clock.monotonic() + forMs });
    for (const [first, row] of this.#rows) {
      if (this.#rows.size <= this.#maxRows && !this.#isOver(row)) return;
      this.#rows.delete(first);
    }
  }

  #isOver({ endsAt }: Row): boolean {
    return this.#clock.monotonic() >= endsAt;
  }
}

/** A session id has no line break. */
const keyOf = (sessionId: string, userId: string): string => `${sessionId}\n${userId}`;
