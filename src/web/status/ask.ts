import { settings } from '../settings';
import type { Stats } from './answer';

export type Asked =
  | { readonly kind: 'stats'; readonly stats: Stats }
  /** The token is not the administrators'. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'silent' };

/** A server that takes longer might as well not be there. */
const DEADLINE_MS = 5_000;

/** Asks the server how it is. Never rejects. */
export async function ask(token: string | null): Promise<Asked> {
  const headers: HeadersInit = token === null ? {} : { Authorization: `Bearer ${token}` };
  try {
    const answer = await fetch(`${settings.base}/ws/stats`, { headers, signal: AbortSignal.timeout(DEADLINE_MS) });
    if (answer.status === 401) return { kind: 'refused' };
    if (!answer.ok) return { kind: 'silent' };
    return { kind: 'stats', stats: (await answer.json()) as Stats };
  } catch {
    return { kind: 'silent' };
  }
}
