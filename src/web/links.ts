import { settings } from './settings';

const SESSION_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** Where a document is edited. */
export const addressOf = (sessionId: string): string => `${settings.base}/s/${sessionId}`;

/** The document that an address, or what somebody pasted, means; null: none. */
export function sessionIdIn(text: string): string | null {
  const sessionId = text
    .trim()
    .replace(/[?#].*$/, '')
    .replace(/\/$/, '')
    .replace(/^.*\/s\//, '');
  return SESSION_ID.test(sessionId) ? sessionId : null;
}
