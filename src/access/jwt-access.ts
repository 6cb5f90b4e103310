import { hash } from 'node:crypto';
import { jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import type { Clock } from '../lib/clock';
import { faultCode } from '../lib/system-faults';
import { FlowError } from '../protocol/errors';
import type { Authenticate, Identity } from './access';
import type { TokenKeys } from './token-keys';

/** Clocks differ by so much. */
const CLOCK_TOLERANCE_S = 30;
/** Longer ones fit no header, and cost time to refuse. */
const MAX_TOKEN_CHARS = 8_192;
/** What may be part of a key, a path and a log line as it is; anything else is hashed. */
const PLAIN_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;
/** In the claim `roles`. */
const ADMINISTRATOR_ROLE = 'flow-admin';

interface JwtAccessOptions {
  readonly keys: TokenKeys;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** A token that lives longer is refused: revocations are kept for as long, and none may outlive its own. */
  readonly maxTokenMs: number;
  readonly clock: Clock;
}

/** AUTH_MODE=jwt: a caller is the `sub` of a signed token. */
export function jwtAuthenticate({ keys, issuer, audience, maxTokenMs, clock }: JwtAccessOptions): Authenticate {
  const demanded: JWTVerifyOptions = {
    algorithms: [...keys.algorithms],
    requiredClaims: ['sub', 'exp'],
    clockTolerance: CLOCK_TOLERANCE_S,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };

  return async ({ token }) => {
    if (token === undefined || token === '') throw new FlowError('UNAUTHENTICATED', 'A token is needed.');
    if (token.length > MAX_TOKEN_CHARS) throw new FlowError('UNAUTHENTICATED', 'The token is too long.');
    const now = clock.now();
    const claims = await verified(token, keys, { ...demanded, currentDate: new Date(now) });
    return identityOf(token, claims, maxTokenMs, now);
  };
}

async function verified(token: string, keys: TokenKeys, demanded: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, (header, parts) => keys.keyOf(header, parts), demanded);
    return payload;
  } catch (cause) {
    const code = faultCode(cause);
    if (!(code.startsWith('ERR_JW') || code.startsWith('ERR_JOSE'))) throw cause;
    throw new FlowError('UNAUTHENTICATED', reasonOf(code, cause), {}, { cause });
  }
}

/** What helps somebody to get a better token; a wrong signature is told as little as possible. */
function reasonOf(code: string, cause: unknown): string {
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return 'The token has expired.';
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED': {
      const claim: unknown = cause instanceof Error ? Reflect.get(cause, 'claim') : undefined;
      return `The token is not one for this server (${String(claim)}).`;
    }
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return 'The token must name its key (kid).';
    default:
      return 'The token is not valid.';
  }
}

function identityOf(token: string, claims: JWTPayload, maxTokenMs: number, now: number): Identity {
  const { sub, exp, iat, jti, sid, roles } = claims;
  if (typeof sub !== 'string' || typeof exp !== 'number') throw new FlowError('UNAUTHENTICATED');
  const toleranceMs = CLOCK_TOLERANCE_S * 1_000;
  // A token that does not say when it was issued may be as old as any: then a revocation of all tokens reaches it for certain.
  const issuedAt = typeof iat === 'number' ? iat * 1_000 : exp * 1_000 - maxTokenMs;
  if (issuedAt > now + toleranceMs) throw new FlowError('UNAUTHENTICATED', 'The token was issued in the future.');
  if (exp * 1_000 - issuedAt > maxTokenMs) {
    throw new FlowError('UNAUTHENTICATED', `The token lives too long: ${maxTokenMs / 1_000} seconds at most.`);
  }
  return {
    userId: sub,
    deviceId: deviceIdOf(token, sid, jti),
    isAdministrator: Array.isArray(roles) && roles.includes(ADMINISTRATOR_ROLE),
    expiresAt: exp * 1_000 + toleranceMs,
    issuedAt,
  };
}

/** A session of the identity provider outlives its tokens; what only the token tells is a device of its own each time. */
function deviceIdOf(token: string, sid: unknown, jti: unknown): string {
  for (const id of [sid, jti]) {
    if (typeof id === 'string' && id !== '') return PLAIN_ID.test(id) ? id : hash('sha256', id);
  }
  return hash('sha256', token);
}
