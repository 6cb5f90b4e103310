import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';

export const SECRET = 'a secret of thirty-two bytes, or more';
export const ISSUER = 'https://id.example';
export const AUDIENCE = 'flow';

/** Claims; undefined leaves one out. */
export interface TokenFields {
  /** Seconds from now. */
  readonly ttl?: number;
  readonly [claim: string]: unknown;
}

const builder = ({ ttl = 3_600, ...claims }: TokenFields): SignJWT => {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ann', iat: now, exp: now + ttl, ...claims });
};

/** Signed with a secret; HS256 unless told. */
export const secretToken = (fields: TokenFields = {}, secret = SECRET, alg = 'HS256'): Promise<string> =>
  builder(fields).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));

/** Signed soundly, with a key that nobody but the token itself knows of. */
export async function ownKeyToken(): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'own', alg: 'ES256' };
  return builder({})
    .setProtectedHeader({ alg: 'ES256', kid: 'own', jwk, jku: 'http://127.0.0.1:1/keys' })
    .sign(privateKey);
}

/** Says that it needs no signature. */
export function unsignedToken(fields: TokenFields = {}): string {
  const now = Math.floor(Date.now() / 1_000);
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'ann', iat: now, exp: now + 3_600, ...fields };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA';

/** An identity provider on this machine, whose keys change and which can be away. */
export class IdentityProvider {
  readonly #keys = new Map<string, { readonly jwk: JWK; readonly key: CryptoKey; readonly alg: Algorithm }>();
  readonly #published = new Set<string>();
  #server: Server | undefined;
  #port = 0;
  /** How often its keys were asked for. */
  asked = 0;
  /** When set, it takes the question and says nothing. */
  isSilent = false;
  /** Instead of the keys. */
  answer: { status: number; body: string } | undefined;

  static async start(): Promise<IdentityProvider> {
    const provider = new IdentityProvider();
    await provider.open();
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/keys`;
  }

  async open(): Promise<void> {
    const server = createServer((_request, response) => {
      this.asked += 1;
      if (this.isSilent) return;
      const { status, body } = this.answer ?? { status: 200, body: JSON.stringify({ keys: this.#jwks() }) };
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Nobody answers at its address any more. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** A key that tokens can be signed with; published unless told otherwise. */
  async add(kid: string, alg: Algorithm = 'ES256', isPublished = true): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    this.#keys.set(kid, { jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, key: privateKey, alg });
    if (isPublished) this.#published.add(kid);
  }

  publish(kid: string): void {
    this.#published.add(kid);
  }

  withdraw(kid: string): void {
    this.#published.delete(kid);
  }

  jwkOf(kid: string): JWK {
    return this.#key(kid).jwk;
  }

  token(kid: string, fields: TokenFields = {}): Promise<string> {
    const { key, alg } = this.#key(kid);
    return builder(fields).setProtectedHeader({ alg, kid }).sign(key);
  }

  #key(kid: string) {
    const found = this.#keys.get(kid);
    if (!found) throw new Error(`there is no key ${kid}`);
    return found;
  }

  #jwks(): JWK[] {
    return [...this.#published].map((kid) => this.#key(kid).jwk);
  }
}
