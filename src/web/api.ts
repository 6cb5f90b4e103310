import type { SessionInfo } from '../protocol/schemas';
import { settings } from './settings';

/** The server has refused, or cannot be reached (`code` null). The message is for people. */
export class ApiFault extends Error {
  readonly code: string | null;

  constructor(code: string | null, message: string) {
    super(message);
    this.code = code;
  }
}

/** Most documents that a list shows. */
const LIST_LIMIT = 200;

/** The documents of one caller, over HTTP. */
export class Api {
  readonly #token: () => string;

  constructor(token: () => string) {
    this.#token = token;
  }

  async list(): Promise<SessionInfo[]> {
    const { sessions } = await this.#ask<{ sessions: SessionInfo[] }>('GET', `?limit=${LIST_LIMIT}`);
    return sessions.filter(({ format }) => format === 'yjs');
  }

  async create(title: string): Promise<SessionInfo> {
    return (await this.#ask<{ session: SessionInfo }>('POST', '', { title })).session;
  }

  async rename(sessionId: string, title: string): Promise<SessionInfo> {
    return (await this.#ask<{ session: SessionInfo }>('PATCH', `/${sessionId}`, { title })).session;
  }

  async duplicate(sessionId: string, title: string): Promise<SessionInfo> {
    return (await this.#ask<{ session: SessionInfo }>('POST', `/${sessionId}/duplicate`, { title })).session;
  }

  async #ask<Reply>(method: string, path: string, body?: object): Promise<Reply> {
    const headers = { Authorization: `Bearer ${utf8(this.#token())}`, 'Content-Type': 'application/json' };
    const url = `${settings.base}/api/sessions${path}`;
    const answer = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }).catch(() => {
      throw new ApiFault(null, 'The server cannot be reached. Try again in a moment.');
    });
    const reply = (await answer.json()) as Reply & { error?: { code: string; message: string } };
    if (reply.error) throw new ApiFault(reply.error.code, reply.error.message);
    return reply;
  }
}

/** As a header takes it: one character for each byte. */
const utf8 = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));
