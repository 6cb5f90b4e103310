import type { Credentials, User } from '../access/access';
import type { Authentication } from '../access/authentication';
import type { Clock } from '../lib/clock';
import type { FlowError } from '../protocol/errors';

/** A day: longer waits are not for one timer. */
const LONGEST_TIMER_MS = 86_400_000;

interface SignInOptions {
  readonly user: User;
  /** What was shown when the connection was made. */
  readonly shown: Credentials;
  readonly authentication: Authentication;
  readonly clock: Clock;
  /** It holds no longer. Called once. */
  readonly onEnd: (refusal: FlowError) => void;
}

/** Who is at the other end of a connection, for as long as that holds: until the token expires or the device is revoked. */
export class SignIn {
  readonly shown: Credentials;
  readonly #options: SignInOptions;
  #user: User;
  #cancel = (): void => {};
  #isOver = false;

  constructor(options: SignInOptions) {
    this.#options = options;
    this.shown = options.shown;
    this.#user = options.user;
    this.#arm();
  }

  get user(): User {
    return this.#user;
  }

  /** From when on it is over, as the wire tells it; empty: it is not over by itself. */
  get expiry(): { expiresAt?: number; expiresInMs?: number } {
    const { expiresAt } = this.#user;
    if (expiresAt === null) return {};
    const expiresInMs = Math.max(0, Math.floor(expiresAt - this.#options.clock.now()));
    return { expiresAt: Math.floor(expiresAt), expiresInMs };
  }

  /** The same user with another token. */
  renew(user: User): void {
    this.#user = user;
    this.review();
  }

  /** Looks whether it still holds. */
  review(): void {
    if (this.#isOver) return;
    const refusal = this.#options.authentication.refusalOf(this.#user);
    if (!refusal) return this.#arm();
    this.stop();
    this.#options.onEnd(refusal);
  }

  /** The connection is gone. */
  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #arm(): void {
    this.#cancel();
    const { clock } = this.#options;
    const { expiresAt } = this.#user;
    if (expiresAt === null) return;
    this.#cancel = clock.after(Math.min(Math.max(0, expiresAt - clock.now()), LONGEST_TIMER_MS), () => this.review());
  }
}
