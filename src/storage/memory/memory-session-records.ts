import { FlowError } from '../../protocol/errors';
import { GENESIS } from '../../protocol/positions';
import type { SessionRecord, SessionRecords } from '../session-records';
import { emptyHistory, indexAfter, type Histories, type History } from './memory-histories';

export class MemorySessionRecords implements SessionRecords {
  readonly #records = new Map<string, SessionRecord>();
  readonly #histories: Histories;

  constructor(histories: Histories) {
    this.#histories = histories;
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

  async list(query: { after?: string; limit: number; createdBy?: string }): Promise<readonly SessionRecord[]> {
    const { after = '', limit, createdBy } = query;
    return [...this.#records.values()]
      .filter((record) => record.closedAt === undefined && record.sessionId > after)
      .filter((record) => createdBy === undefined || record.createdBy === createdBy)
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
    this.#histories.set(record.sessionId, history);
    return true;
  }
}
