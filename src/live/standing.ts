import type { User } from '../access/access';
import type { Authorisation, Verdict } from '../access/authorisation';
import { demandMay, type Action } from '../access/permissions';
import type { Role, SessionInfo } from '../protocol/schemas';

export type Judge = Pick<Authorisation, 'judge' | 'isOutdated' | 'isFresh' | 'demandFresh'>;

interface StandingOptions {
  readonly session: () => SessionInfo;
  readonly authorisation: Judge;
  /** As of now: a token that was renewed may say more of the same user. */
  readonly user: () => User;
  /** What was found when they were let in. */
  readonly verdict: Verdict;
  /** The role may be another one; `fault`: it cannot be known. */
  readonly onJudged: (fault?: unknown) => void;
}

/**
 * What one caller may do in one session, for as long as they are in it. While it is judged anew, and while changes of access cannot be
 * heard, nobody knows for sure, and nothing that takes more than reading is done (AC3).
 */
export class Standing {
  readonly #options: StandingOptions;
  #role: Role | null;
  #judging: Promise<void> | null = null;
  #isOutdated = false;

  constructor(options: StandingOptions) {
    this.#options = options;
    const { verdict, authorisation, session, user } = options;
    this.#role = verdict.role;
    if (authorisation.isOutdated(verdict, session().sessionId, user().userId)) this.review();
  }

  get user(): User {
    return this.#options.user();
  }

  /** As last judged; null: none, or it cannot be known. */
  get role(): Role | null {
    return this.#role;
  }

  /** Whether the role may be believed now. */
  get isSure(): boolean {
    return this.#judging === null && this.#options.authorisation.isFresh();
  }

  /** Resolves when `isSure`. Rejects with STORE_UNAVAILABLE. */
  async sure(): Promise<void> {
    while (!this.isSure) {
      await this.#options.authorisation.demandFresh();
      await this.#judging;
    }
  }

  /** Throws SESSION_NOT_FOUND where there is no role, and FORBIDDEN where it does not do. */
  demandMay(action: Action): void {
    demandMay(this.#role, action);
  }

  /** Something has changed: until it is known what, nothing is sure. */
  review(): void {
    this.#isOutdated = true;
    if (this.#judging) return;
    const judging = this.#judge().finally(() => {
      this.#judging = null;
    });
    this.#judging = judging;
    // Who waits for it hears of it, and the owner by `onJudged`.
    judging.catch(() => {});
  }

  async #judge(): Promise<void> {
    const { authorisation, session, onJudged } = this.#options;
    try {
      while (this.#isOutdated) {
        this.#isOutdated = false;
        this.#role = (await authorisation.judge(this.user, session())).role;
      }
    } catch (fault) {
      this.#role = null;
      onJudged(fault);
      throw fault;
    }
    onJudged();
  }
}
