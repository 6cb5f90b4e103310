import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { SessionInfo } from '../protocol/schemas';
import type { SessionRecord, SessionRecords } from '../storage/session-records';
import type { CollaborationService, SessionDraft } from './collaboration-service';

/** Unguessable, short enough for a link. */
const SESSION_ID_BYTES = 12;
const UNTITLED = 'Untitled';

/** Collaboration sessions read straight from their durable records. */
export class MemoryCollaborationService implements CollaborationService {
  readonly #records: SessionRecords;
  readonly #clock: Clock;

  constructor({ records, clock }: { records: SessionRecords; clock: Clock }) {
    this.#records = records;
    this.#clock = clock;
  }

  async create(draft: SessionDraft): Promise<SessionInfo> {
    const record = this.#recordOf(draft);
    if (!(await this.#records.create(record))) throw new FlowError('SESSION_EXISTS');
    return toInfo(record);
  }

  async get(sessionId: string): Promise<SessionInfo | null> {
    const record = await this.#records.get(sessionId);
    return record && record.closedAt === undefined ? toInfo(record) : null;
  }

  async list(query: { after?: string; limit: number; userId?: string }): Promise<{
    sessions: readonly SessionInfo[];
    next: string | null;
  }> {
    const records = await this.#records.list({ ...query, limit: query.limit + 1 });
    const page = records.slice(0, query.limit);
    const next = records.length > page.length ? (page[page.length - 1]?.sessionId ?? null) : null;
    return { sessions: page.map(toInfo), next };
  }

  async rename(sessionId: string, title: string): Promise<SessionInfo> {
    await this.#open(sessionId);
    const record = await this.#records.update(sessionId, { title, updatedAt: this.#clock.now() });
    if (!record) throw new FlowError('SESSION_NOT_FOUND');
    return toInfo(record);
  }

  async duplicate(sourceId: string, draft: Omit<SessionDraft, 'format'>): Promise<SessionInfo> {
    const source = await this.#open(sourceId);
    const title = draft.title ?? source.title;
    const record = this.#recordOf({ ...draft, title, format: source.format });
    if (!(await this.#records.copy(sourceId, record))) throw new FlowError('SESSION_EXISTS');
    return toInfo(record);
  }

  async close(sessionId: string): Promise<void> {
    await this.#open(sessionId);
    const now = this.#clock.now();
    await this.#records.update(sessionId, { closedAt: now, updatedAt: now });
  }

  async #open(sessionId: string): Promise<SessionRecord> {
    const record = await this.#records.get(sessionId);
    if (!record || record.closedAt !== undefined) throw new FlowError('SESSION_NOT_FOUND');
    return record;
  }

  async touch(): Promise<void> {}

  #recordOf({ sessionId, title, format, createdBy, link }: SessionDraft): SessionRecord {
    const now = this.#clock.now();
    return {
      sessionId: sessionId ?? randomBytes(SESSION_ID_BYTES).toString('base64url'),
      title: title ?? UNTITLED,
      format,
      createdBy,
      link,
      createdAt: now,
      updatedAt: now,
    };
  }
}

const toInfo = ({ sessionId, title, format, createdBy, createdAt, updatedAt }: SessionRecord): SessionInfo => ({
  sessionId,
  title,
  format,
  createdBy,
  createdAt,
  updatedAt,
});
