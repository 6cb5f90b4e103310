import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ClientCredentials } from '../protocol/schemas';

/** 120 bits: not to be guessed, and never met twice. */
const CLIENT_ID_BYTES = 15;

/** Client ids are issued here and signed for one session and one user, so that nobody can speak for another client. */
export class ClientIdentity {
  readonly #readSecret: () => Promise<string>;
  readonly #ownerOf: (userId: string) => string;
  #secret = '';

  /** `ownerOf`: users whose client ids are one user's, because they are one and the same under several names. */
  constructor(readSecret: () => Promise<string>, ownerOf: (userId: string) => string = (userId) => userId) {
    this.#readSecret = readSecret;
    this.#ownerOf = ownerOf;
  }

  async start(): Promise<void> {
    this.#secret = await this.#readSecret();
  }

  issue(sessionId: string, userId: string): ClientCredentials {
    const clientId = randomBytes(CLIENT_ID_BYTES).toString('base64url');
    return { clientId, signature: this.#sign(sessionId, userId, clientId) };
  }

  verify(sessionId: string, userId: string, { clientId, signature }: ClientCredentials): boolean {
    const expected = Buffer.from(this.#sign(sessionId, userId, clientId));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #sign(sessionId: string, userId: string, clientId: string): string {
    if (this.#secret === '') throw new Error('ClientIdentity is used before it was started');
    // JSON keeps the three apart whatever characters an embedder's user ids have.
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([sessionId, this.#ownerOf(userId), clientId]))
      .digest('base64url');
  }
}
