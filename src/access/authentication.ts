import { hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { AuthFailures } from '../limits/auth-failures';
import { userId as userIdSchema } from '../protocol/schemas';
import type { Authenticate, Credentials, User } from './access';
import type { AccessFollower } from './access-follower';
import type { DeviceSessions } from './device-sessions';
import type { Revocations } from './revocations';

const MAX_LABEL_CHARS = 256;

interface AuthenticationOptions {
  /** The application's hook, or what AUTH_MODE says. */
  readonly authenticate: Authenticate;
  readonly follower: AccessFollower;
  readonly revocations: Revocations;
  readonly deviceSessions: DeviceSessions;
  readonly failures: AuthFailures;
  readonly adminToken: string | undefined;
  readonly clock: Clock;
}

/** The one place that says who somebody is, for connections and requests alike. */
export class Authentication {
  readonly #options: AuthenticationOptions;

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /** Who shows these credentials. Rejects with UNAUTHENTICATED, or, when that cannot be known, with what to wait for. */
  async identify(credentials: Credentials): Promise<User> {
    const { failures } = this.#options;
    failures.demandFew(credentials.address);
    try {
      return await this.#identify(credentials);
    } catch (fault) {
      if (fault instanceof FlowError && fault.code === 'UNAUTHENTICATED') await failures.add(credentials.address);
      throw fault;
    }
  }

  async #identify(credentials: Credentials): Promise<User> {
    const { authenticate, follower, deviceSessions } = this.#options;
    const user = this.#userOf(credentials, await authenticate(credentials));
    await follower.demandFresh();
    const refusal = this.refusalOf(user);
    if (refusal) throw refusal;
    await deviceSessions.touch(user, labelOf(credentials.userAgent), credentials.address);
    return user;
  }

  /** Why somebody who was let in is nobody any more; null: they still are who they were. */
  refusalOf(user: User): FlowError | null {
    const { revocations, clock } = this.#options;
    if (revocations.isRevoked(user)) return new FlowError('UNAUTHENTICATED', 'This device was signed out.');
    if (user.expiresAt !== null && user.expiresAt <= clock.now()) {
      return new FlowError('UNAUTHENTICATED', 'The token has expired.');
    }
    return null;
  }

  /** Whether this token is ADMIN_TOKEN. Takes as long for any token. */
  isAdminToken(token: string): boolean {
    const { adminToken } = this.#options;
    return adminToken !== undefined && timingSafeEqual(digestOf(token), digestOf(adminToken));
  }

  #userOf({ token }: Credentials, identity: Awaited<ReturnType<Authenticate>>): User {
    if (!identity) throw new FlowError('UNAUTHENTICATED');
    const { userId, deviceId, isAdministrator = false, expiresAt = null } = identity;
    if (!userIdSchema.safeParse(userId).success)
      throw new FlowError('UNAUTHENTICATED', 'A user id has 1 to 256 characters that can be seen.');
    const ofToken = token === undefined ? null : hash('sha256', token);
    return {
      userId,
      deviceId: deviceId === undefined ? ofToken : deviceId,
      isAdministrator,
      expiresAt,
      issuedAt: identity.issuedAt ?? this.#options.clock.now(),
    };
  }
}

/** Hashes are of one length, so that comparing them tells nothing of it. */
const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer');

/** For people to recognise a device by. */
const labelOf = (userAgent: string): string =>
  userAgent.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, ' ').slice(0, MAX_LABEL_CHARS);
