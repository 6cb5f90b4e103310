import type { User } from '../access/access';
import type { Verdict } from '../access/authorisation';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { Logger } from '../lib/logger';
import type { SessionInfo } from '../protocol/schemas';
import type { Participants } from '../sessions/participants';
import type { Company } from './company';
import { Standing, type Judge } from './standing';

interface StandingsOptions {
  readonly session: () => SessionInfo;
  readonly authorisation: Judge;
  readonly company: () => Pick<Company, 'members'>;
  readonly sockets: WebSocketManager;
  readonly participants: Participants;
  readonly log: Logger;
}

/** What everybody may do who is in one session on this instance, is on the way in, or writes to it once (AC3). */
export class Standings {
  readonly #options: StandingsOptions;
  readonly #standings = new Set<Standing>();

  constructor(options: StandingsOptions) {
    this.#options = options;
  }

  /** Somebody's role was changed; null: everybody's may be another one. */
  review(userId: string | null): void {
    for (const standing of this.#standings) if (userId === null || standing.user.userId === userId) standing.review();
  }

  /** While somebody without a connection does something. */
  async during<Answer>(user: User, verdict: Verdict, work: (standing: Standing) => Promise<Answer>): Promise<Answer> {
    const standing = this.#begin(
      () => user,
      verdict,
      () => {},
    );
    try {
      return await work(standing);
    } finally {
      this.end(standing);
    }
  }

  /** From the way in of a connection until it is no member any more, or has not become one. */
  async whileJoining(
    { connectionId, user }: { connectionId: string; user: () => User },
    verdict: Verdict,
    join: (standing: Standing) => Promise<void>,
  ): Promise<void> {
    const standing: Standing = this.#begin(user, verdict, (fault) => this.#judged(connectionId, standing, fault));
    try {
      await join(standing);
      // It may have been judged anew after it was told its role.
      this.#judged(connectionId, standing);
    } finally {
      if (!this.#members.hasStanding(connectionId, standing)) this.end(standing);
    }
  }

  end(standing: Standing): void {
    this.#standings.delete(standing);
  }

  get #members(): Company['members'] {
    return this.#options.company().members;
  }

  #begin(user: () => User, verdict: Verdict, onJudged: (fault?: unknown) => void): Standing {
    const { session, authorisation } = this.#options;
    const standing = new Standing({ session, authorisation, user, verdict, onJudged });
    this.#standings.add(standing);
    return standing;
  }

  /** A member whose role is another one hears of it, and so do all others; who has none any more is sent away. */
  #judged(connectionId: string, standing: Standing, fault?: unknown): void {
    const members = this.#members;
    if (!members.hasStanding(connectionId, standing)) return;
    const { session, sockets, participants, log } = this.#options;
    const { sessionId } = session();
    if (fault !== undefined) {
      log.warn({ err: fault, connectionId }, 'nobody can say what a member may do: it has to join again');
      // Then it is told what to wait for, and nothing else until it is known.
      return members.sendAway(connectionId, 'moved');
    }
    const { role } = standing;
    if (!role) return members.sendAway(connectionId, 'forbidden');
    if (members.get(connectionId).role === role) return;
    const participant = members.setRole(connectionId, role);
    sockets.toConnectionHere(connectionId, 'session:role', { sessionId, role });
    participants
      .join(sessionId, participant)
      .catch((cause: unknown) => log.warn({ err: cause }, 'whoever comes is told an old role of a participant'));
  }
}
