import type { AppendResult, EventOrdering, Hint, Submission } from '../../../src/ordering/event-ordering';
import type { ClientRow } from '../../../src/protocol/entry';
import { FlowError } from '../../../src/protocol/errors';
import type { Mark, Position } from '../../../src/protocol/positions';
import type { Dice } from './dice';
import type { Freezer } from './freezer';
import { elapsed, Pipe } from './pipe';
import type { Severance } from './severance';
import type { Trace } from './trace';

/** What goes wrong between one instance and the order, for as long as it is set. */
export interface OrderingFaults {
  /** Every hint is lost. */
  isMute: boolean;
  /** Shares of the hints. */
  hintLoss: number;
  hintDoubling: number;
  hintReordering: number;
  /** Every hint is late by up to so much. */
  hintDelayMs: number;
  /** Every request is refused. */
  isAway: boolean;
  /** So many appends are ordered, but nobody is told. */
  repliesToLose: number;
  /** Requests reach the order late. */
  isLate: boolean;
  /** Requests reach the order late by up to so much. */
  requestDelayMs: number;
  /** Answers to appends are late by up to so much. */
  replyDelayMs: number;
}

export const noOrderingFaults = (): OrderingFaults => ({
  isMute: false,
  hintLoss: 0,
  hintDoubling: 0,
  hintReordering: 0,
  hintDelayMs: 0,
  isAway: false,
  repliesToLose: 0,
  isLate: false,
  requestDelayMs: 0,
  replyDelayMs: 0,
});

/** Share of entries that are announced without their content, as those too large for a hint are. */
const BARE_HINTS = 0.1;

/** Long enough for others to find a loss and open a new epoch, milliseconds. */
const LATE_MS = 150;

interface ViewOptions {
  /** Of the instance. */
  readonly name: string;
  readonly logOf: (sessionId: string) => EventOrdering;
  readonly scope: EventOrdering['scope'];
  /** Whether there is a network between: answers and hints take their time. */
  readonly isRemote: boolean;
  readonly faults: OrderingFaults;
  readonly severance: Severance;
  readonly freezer: Freezer;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly onAdmitting: (sessionId: string, clientId: string) => void;
  readonly onAccepted: (sessionId: string, clientId: string) => void;
  readonly onRelease: (sessionId: string) => void;
}

/**
 * The order as one instance sees it: requests and their answers in order on one line, hints in order on another, as with a
 * remote backend; until the faults are set otherwise, or the instance is no more.
 */
export class OrderingView implements EventOrdering {
  readonly scope: EventOrdering['scope'];
  readonly #options: ViewOptions;
  readonly #requests = new Pipe();
  readonly #replies = new Pipe();
  readonly #hints = new Pipe();

  constructor(options: ViewOptions) {
    this.#options = options;
    this.scope = options.scope;
  }

  describe(sessionIds: readonly string[]): ReturnType<EventOrdering['describe']> {
    const { logOf } = this.#options;
    return this.#ask(async () => {
      const logs = await Promise.all(sessionIds.map((sessionId) => logOf(sessionId).describe([sessionId])));
      return logs.map(([log]) => log ?? null);
    });
  }

  seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    return this.#ask(() => this.#log(sessionId).seed(sessionId, epoch, head));
  }

  admit(
    sessionId: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): ReturnType<EventOrdering['admit']> {
    const { trace, name, onAdmitting } = this.#options;
    onAdmitting(sessionId, clientId);
    return this.#ask(async () => {
      const admitted = await this.#log(sessionId).admit(sessionId, epoch, clientId, stored);
      const row = stored ? `#${stored.clientSeq} at ${stored.seq}` : 'no row';
      trace.detail(() => `${name} admits ${clientId.slice(0, 4)} with ${row} in ${epoch}: ${JSON.stringify(admitted)}`);
      return admitted;
    });
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const { faults, trace, dice, name } = this.#options;
    let isLost = false;
    const result = await this.#ask(async () => {
      const appended = await this.#log(sessionId).append(sessionId, submission);
      trace.detail(() => `${name} appends ${described(submission)}: ${answered(appended)}`);
      if (appended.status === 'accepted') this.#options.onAccepted(sessionId, submission.clientId);
      if (appended.status === 'accepted' && faults.repliesToLose > 0) {
        faults.repliesToLose -= 1;
        isLost = true;
        trace.count('lost replies');
      }
      return appended;
    });
    if (faults.replyDelayMs > 0) {
      trace.count('late replies');
      await elapsed(dice.between(1, faults.replyDelayMs));
      this.#demandAlive();
    }
    if (isLost) throw unavailable();
    return result;
  }

  read(sessionId: string, afterSeq: number, maxBytes: number): ReturnType<EventOrdering['read']> {
    return this.#ask(() => this.#log(sessionId).read(sessionId, afterSeq, maxBytes));
  }

  markSaved(sessionId: string, saved: Position): Promise<void> {
    return this.#ask(() => this.#log(sessionId).markSaved(sessionId, saved));
  }

  async follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    const { severance } = this.#options;
    const unfollow = await this.#ask(() => this.#log(sessionId).follow(sessionId, (hint) => this.#hear(hint, onHint)));
    // A subscription ends with the connection it was made on.
    severance.onSevered(() => void unfollow());
    return unfollow;
  }

  release(sessionId: string): Promise<void> {
    // The session is closed, also where this cannot be told.
    if (!this.#options.severance.isSevered) this.#options.onRelease(sessionId);
    return this.#ask(() => this.#log(sessionId).release(sessionId));
  }

  #log(sessionId: string): EventOrdering {
    return this.#options.logOf(sessionId);
  }

  async #ask<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    const { isRemote, faults, trace, freezer } = this.#options;
    if (freezer.isFrozen) await freezer.passed();
    if (isRemote) await this.#requests.pass(this.#requestLatencyMs());
    this.#demandAlive();
    if (faults.isAway) {
      trace.count('refused by the order');
      throw unavailable();
    }
    const [answer] = await Promise.all([run(), isRemote ? this.#replies.pass(this.#latencyMs()) : undefined]);
    if (freezer.isFrozen) await freezer.passed();
    this.#demandAlive();
    return answer;
  }

  #hear(hint: Hint, onHint: (hint: Hint) => void): void {
    const { isRemote, faults, dice, trace } = this.#options;
    if (!isRemote) return this.#tell(hint, onHint);
    if (faults.isMute || dice.chance(faults.hintLoss)) return trace.count('lost hints');
    const news = hint.kind === 'entry' && dice.chance(BARE_HINTS) ? bare(hint) : hint;
    let delayMs = this.#latencyMs();
    if (faults.hintDelayMs > 0) {
      trace.count('late hints');
      delayMs = dice.between(1, faults.hintDelayMs);
    }
    if (dice.chance(faults.hintReordering)) {
      trace.count('reordered hints');
      void elapsed(dice.between(2, 30)).then(() => this.#tell(news, onHint));
    } else {
      void this.#hints.pass(delayMs).then(() => this.#tell(news, onHint));
    }
    if (dice.chance(faults.hintDoubling)) {
      trace.count('doubled hints');
      void elapsed(dice.between(0, 30)).then(() => this.#tell(news, onHint));
    }
  }

  #tell(hint: Hint, onHint: (hint: Hint) => void): void {
    const { severance, freezer } = this.#options;
    if (freezer.isFrozen) void freezer.passed().then(() => this.#tell(hint, onHint));
    else if (!severance.isSevered) onHint(hint);
  }

  #latencyMs(): number {
    const { dice } = this.#options;
    return dice.chance(0.9) ? 0 : dice.between(1, 4);
  }

  #requestLatencyMs(): number {
    const { faults, dice, trace } = this.#options;
    if (faults.isLate) return LATE_MS;
    if (faults.requestDelayMs === 0) return this.#latencyMs();
    trace.count('late requests');
    return dice.between(1, faults.requestDelayMs);
  }

  #demandAlive(): void {
    if (this.#options.severance.isSevered) throw unavailable();
  }
}

const bare = ({ entry: { epoch, seq, tag } }: Extract<Hint, { kind: 'entry' }>): Hint => ({
  kind: 'head',
  head: { epoch, seq, tag },
});

const described = ({ epoch, clientId, firstClientSeq, count, operations }: Submission): string =>
  `${clientId.slice(0, 4)}#${firstClientSeq}…${firstClientSeq + count - 1} in ${epoch} ${operations.slice(0, 24)}`;

const answered = (result: AppendResult): string =>
  result.status === 'accepted' ? `at ${result.entry.seq} of ${result.entry.epoch}` : JSON.stringify(result);

const unavailable = (): FlowError => new FlowError('BACKEND_UNAVAILABLE', undefined, { retryAfterMs: 5 });
