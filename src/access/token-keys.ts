import type { CompactJWSHeaderParameters, CryptoKey, FlattenedJWSInput } from 'jose';
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import { faultCode } from '../lib/system-faults';
import { FlowError } from '../protocol/errors';

/** What tokens are signed with. */
export interface TokenKeys {
  /** Nothing else is accepted, whatever a token says of itself. */
  readonly algorithms: readonly string[];
  /** The key that a token names. Rejects with BACKEND_UNAVAILABLE when it cannot be known. */
  keyOf(header: CompactJWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey | Uint8Array>;
}

/** AUTH_JWT_SECRET. */
export function secretKey(secret: string): TokenKeys {
  const key = new TextEncoder().encode(secret);
  return { algorithms: ['HS256'], keyOf: async () => key };
}

/** A provider that does not answer by then is away. */
const ANSWER_DEADLINE_MS = 5_000;
/** A key that was withdrawn is no longer accepted after this time. */
const REFRESH_MS = 600_000;
/** Tokens that name keys which nobody has do not make us ask for each of them. */
const COOLDOWN_MS = 10_000;
/** A provider that is away is asked again after this time. */
const AWAY_RETRY_MS = 1_000;

const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

/**
 * AUTH_JWKS_URL: the public keys of an identity provider. They are read when the first token comes, again from time to time, and when a token
 * names one that is not there yet (rotation). While the provider is away, those that are known go on.
 */
export class RemoteKeys implements TokenKeys {
  /** Never HS256: the public key would be the secret. */
  readonly algorithms = ['RS256', 'ES256', 'EdDSA'];
  readonly #url: string;
  readonly #clock: Clock;
  readonly #outage: Outage;
  #known: ReturnType<typeof createLocalJWKSet> | null = null;
  #knownSince = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** When they were last asked for because a token named an unknown one. */
  #soughtAt = Number.NEGATIVE_INFINITY;
  #isAway = false;
  #asking: Promise<void> | null = null;

  constructor({ url, clock, log }: { url: string; clock: Clock; log: Logger }) {
    this.#url = url;
    this.#clock = clock;
    this.#outage = new Outage(log, {
      began: 'AUTH_JWKS_URL cannot be read; the keys that are known go on',
      ended: 'AUTH_JWKS_URL is read again',
    });
  }

  async keyOf(header: CompactJWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const known = this.#known ?? (await this.#renewed());
    const now = this.#clock.monotonic();
    if (now - this.#knownSince > REFRESH_MS && !this.#isToWait()) void this.#ask();
    try {
      return await known(header, token);
    } catch (fault) {
      if (faultCode(fault) !== 'ERR_JWKS_NO_MATCHING_KEY') throw fault;
      // Somebody has just looked for a key that was not there, and it is still not there.
      if (now - this.#soughtAt < COOLDOWN_MS && !this.#isAway) throw fault;
      this.#soughtAt = now;
      return await (await this.#renewed())(header, token);
    }
  }

  async #renewed(): Promise<ReturnType<typeof createLocalJWKSet>> {
    if (this.#asking || !this.#isToWait()) await this.#ask();
    if (this.#known && !this.#isAway) return this.#known;
    throw new FlowError('BACKEND_UNAVAILABLE', 'The keys of the identity provider cannot be read.', {
      retryAfterMs: AWAY_RETRY_MS,
    });
  }

  #isToWait(): boolean {
    return this.#isAway && this.#clock.monotonic() - this.#askedAt < AWAY_RETRY_MS;
  }

  /** One at a time, however many wait. Never rejects: `#isAway` says how it went. */
  #ask(): Promise<void> {
    this.#asking ??= this.#read()
      .then(
        (known) => {
          this.#known = known;
          this.#knownSince = this.#clock.monotonic();
          this.#isAway = false;
          this.#outage.worked();
        },
        (fault: unknown) => {
          this.#isAway = true;
          this.#outage.failed(fault);
        },
      )
      .finally(() => {
        this.#askedAt = this.#clock.monotonic();
        this.#asking = null;
      });
    return this.#asking;
  }

  async #read(): Promise<ReturnType<typeof createLocalJWKSet>> {
    const response = await fetch(this.#url, {
      headers: { accept: 'application/json' },
      // Keys come from where the operator said, and from nowhere else.
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
    });
    if (!response.ok) throw new Error(`AUTH_JWKS_URL answered ${response.status}.`);
    const keys: JSONWebKeySet = keySet.parse(await response.json());
    return createLocalJWKSet(keys);
  }
}
