import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { faultCode } from '../../lib/system-faults';
import type { Position } from '../../protocol/positions';
import { FILE_NAME } from './lmdb-engine';
import { missingBytesOf } from './lmdb-file';
import { CURRENT_FORMAT } from './lmdb-format';
import { getHead, getRecord, openTables, tagAt, type Tables } from './lmdb-tables';
import type { SessionRecord } from '../session-records';

/** A store looked at from outside, beside whoever uses it: nothing is written, made or migrated. */
export class LmdbInspection {
  readonly bytes: number;
  /** 0: it has none yet. */
  readonly format: number;
  readonly knownFormat = CURRENT_FORMAT;
  readonly #root: RootDatabase;
  readonly #tables: Tables;

  /** Null: there is no store yet. Rejects where the file is damaged, or cannot be read. */
  static async open(directory: string): Promise<LmdbInspection | null> {
    const path = join(directory, FILE_NAME);
    try {
      await access(path, constants.R_OK);
    } catch (fault) {
      if (faultCode(fault) === 'ENOENT') return null;
      throw fault;
    }
    const { size } = await stat(path);
    if (size === 0) return null;
    await missingBytesOf(path);
    const root = open({ path, noSubdir: true, readOnly: true });
    try {
      return new LmdbInspection(root, size);
    } catch (fault) {
      await root.close();
      throw fault;
    }
  }

  private constructor(root: RootDatabase, bytes: number) {
    this.#root = root;
    this.bytes = bytes;
    this.#tables = openTables(root);
    this.format = this.#tables.meta.get('format') ?? 0;
  }

  /** Processes that have it open, this one not among them. */
  users(): number[] {
    const pids = this.#root
      .readerList()
      .split('\n')
      .map((line) => Number(/^\s*(\d+)\s/.exec(line)?.[1]))
      .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
    return [...new Set(pids)];
  }

  summary(): { sessions: number; highest: { sessionId: string; epoch: number } | null } {
    let sessions = 0;
    let highest: { sessionId: string; epoch: number } | null = null;
    for (const { key: sessionId, value } of this.#tables.heads.getRange()) {
      const [, epoch] = value;
      sessions += 1;
      if (!highest || epoch > highest.epoch) highest = { sessionId, epoch };
    }
    return { sessions, highest };
  }

  async head(sessionId: string): Promise<Position | null> {
    const head = getHead(this.#tables, sessionId);
    return head && { epoch: head.epoch, seq: head.seq, tag: head.tag };
  }

  async tagAt(sessionId: string, seq: number): Promise<string | null> {
    const head = getHead(this.#tables, sessionId);
    return head && tagAt(this.#tables, head, seq);
  }

  async record(sessionId: string): Promise<SessionRecord | null> {
    return getRecord(this.#tables, sessionId);
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}
