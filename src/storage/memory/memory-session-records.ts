import { FlowError } from '../../protocol/errors';
import { GENESIS } from '../../protocol/positions';
import type { SessionRecord, SessionRecords } from '../session-records';
import { emptyHistory, indexAfter, type Histories, type History } from './memory-histories';
import type { Granted } from './memory-session-roles';

export class MemorySessionRecords implements SessionRecords {
  readonly #records: Map<string, SessionRecord>;
  readonly #granted: Granted;
  readonly #histories: Histories;

  constructor(tables: { records: Map<string, SessionRecord>; granted: Granted; histories: Histories }) {
    this.#records = tables.records;
    this.#granted = tables.granted;
    this.#histories = tables.histories;
  }

  async create(record: SessionRecord): Promise<boolean> {
    return this.#add(record, emptyHistory());
  }

  async get(sessionId: string): Promise<SessionRecord | null> {
    return this.#records.get(sessionId) ?? null;
  }

  async update(
    sessionId: string,
    change: Partial<Pick<SessionRecord, 'title' | 'updatedAt' | 'closedAt'>>,
  ): Promise<SessionRecord | null> {
    const record = this.#records.get(sessionId);
    if (!record) return null;
    const changed = { ...record, ...change };
    this.#records.set(sessionId, changed);
    return changed;
  }

  async list(query: { after?: string; limit: number; userId?: string }): Promise<readonly SessionRecord[]> {
    const { after = '', limit, userId } = query;
    return [...this.#records.values()]
      .filter((record) => record.closedAt === undefined && record.sessionId > after)
      .filter(({ sessionId }) => userId === undefined || this.#granted.get(sessionId)?.has(userId))
      .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
      .slice(0, limit);
  }

  async copy(sourceId: string, record: SessionRecord): Promise<boolean> {
    const source = this.#histories.get(sourceId);
    if (!source) throw new FlowError('SESSION_NOT_FOUND');
    const { snapshot, head } = source;
    const after = indexAfter(source.entries, (snapshot?.at ?? GENESIS).seq);
    // The copy's epochs start anew, so its entries must not claim later ones. Tags do not cover the epoch.
    const entries = source.entries.slice(after).map((entry) => ({ ...entry, epoch: 1 }));
    return this.#add(record, { ...emptyHistory(), epoch: 1, head, snapshot, entries });
  }

  #add(record: SessionRecord, history: History): boolean {
    if (this.#records.has(record.sessionId)) return false;
    this.#records.set(record.sessionId, { ...record });
    this.#granted.set(record.sessionId, new Map([[record.createdBy, 'owner']]));
    this.#histories.set(record.sessionId, history);
    return true;
  }
}
