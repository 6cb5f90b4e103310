import type { SessionInfo } from '../../protocol/schemas';
import type { Visited } from '../visited';

/** A line of the list of documents. */
export interface Entry {
  readonly sessionId: string;
  readonly title: string;
  /** When it was opened here last, or else made or renamed; milliseconds since 1970. */
  readonly at: number;
}

/** One's own documents and those that were open here, each once, the latest first. */
export function merge(own: readonly SessionInfo[], visited: readonly Visited[]): Entry[] {
  const entries = new Map<string, Entry>(
    visited.map(({ sessionId, title, openedAt }) => [sessionId, { sessionId, title, at: openedAt }]),
  );
  for (const { sessionId, title, updatedAt } of own) {
    entries.set(sessionId, { sessionId, title, at: Math.max(updatedAt, entries.get(sessionId)?.at ?? 0) });
  }
  return [...entries.values()].map(withTitle).sort((one, other) => other.at - one.at);
}

const withTitle = (entry: Entry): Entry => (entry.title === '' ? { ...entry, title: 'Untitled' } : entry);
