import type { FlowError } from '../protocol/errors';
import type { Mark } from '../protocol/positions';
import type { Replies, RequestInputs } from '../protocol/schemas';
import { Backoff, type BackoffOptions } from './backoff';
import type { Link } from './connection';
import type { Refusal } from './refusals';
import type { Timers } from './timers';

export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'disconnected' }
  /** Connected; joins after a while. `delayedBy`: because the server asked to wait. */
  | { readonly kind: 'paused'; readonly delayedBy?: FlowError }
  | { readonly kind: 'joining' }
  | { readonly kind: 'catching-up' }
  | { readonly kind: 'live' }
  | { readonly kind: 'refused'; readonly reason: FlowError }
  | { readonly kind: 'closed' };

type JoinReply = Replies['session:join'];
type Page = Replies['operation:catch-up'];

interface MembershipOptions {
  readonly sessionId: string;
  readonly connection: Link;
  readonly timers: Timers;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  readonly deadlineMs: number;
  readonly joinRequest: () => RequestInputs['session:join'];
  /** Takes in who we are and where the history begins for us. False: it makes no sense, join again. */
  readonly onJoined: (reply: JoinReply) => boolean;
  /** Takes in what was missed, in pages. False: it does not continue what we have, join again. */
  readonly onPage: (page: Page) => boolean;
  /** Nothing is missing any more. */
  readonly onLive: () => void;
  /** No longer live, for whatever reason. */
  readonly onInterrupted: () => void;
  readonly onPhase: () => void;
  /** What to do about a refused join. */
  readonly onRefused: (refusal: Refusal) => 'at-once' | 'later' | 'never';
}

/** Being live for so long, a new interruption is not a repetition of the last one. */
const STABLE_MS = 1_000;

/**
 * Keeps a session joined on a connection that comes and goes: join, catch up page by page, live, and again from the start after
 * every interruption (DL1, CL2). At most one join is under way, so that both sides always agree on who we are.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #backoff: Backoff;
  readonly #stopListening: () => void;
  #phase: Phase = { kind: 'idle' };
  #cancelPause: (() => void) | null = null;
  #isRejoinDue = false;
  /** Also of an earlier phase. */
  #isJoinUnanswered = false;
  #liveSinceMs = 0;
  #interruptions = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#stopListening = options.connection.events.on('status', () => this.#onConnectionStatus());
  }

  get phase(): Phase {
    return this.#phase;
  }

  get isLive(): boolean {
    return this.#phase.kind === 'live';
  }

  start(): void {
    const { kind } = this.#phase;
    if (kind !== 'idle' && kind !== 'refused') return;
    this.#enter({ kind: 'disconnected' });
    this.#options.connection.connect();
    this.#onConnectionStatus();
  }

  /** The history is in doubt, or the server has forgotten us: join again, at once unless that has just been tried. */
  rejoin(atLeastMs = 0): void {
    const { kind } = this.#phase;
    if (kind === 'joining') this.#isRejoinDue = true;
    if (kind !== 'live' && kind !== 'catching-up') return;
    if (kind === 'live' && this.#options.timers.now() - this.#liveSinceMs > STABLE_MS) this.#interruptions = 0;
    this.#interruptions += 1;
    this.#options.onInterrupted();
    if (this.#interruptions === 1 && atLeastMs === 0) {
      this.#backoff.reset();
      this.#join();
    } else {
      this.#pause(this.#backoff.nextMs(atLeastMs));
    }
  }

  /** Until `start`. */
  leave(): void {
    const { kind } = this.#phase;
    if (kind === 'idle' || kind === 'closed') return;
    this.#options.onInterrupted();
    if (kind === 'live' || kind === 'catching-up') this.#sendLeave();
    this.#enter({ kind: 'idle' });
  }

  refuse(reason: FlowError): void {
    if (this.#phase.kind === 'closed') return;
    this.#options.onInterrupted();
    this.#enter({ kind: 'refused', reason });
  }

  close(): void {
    if (this.#phase.kind === 'closed') return;
    this.#options.onInterrupted();
    this.#enter({ kind: 'closed' });
    this.#stopListening();
  }

  #onConnectionStatus(): void {
    const { kind } = this.#phase;
    if (kind === 'idle' || kind === 'refused' || kind === 'closed') return;
    if (this.#options.connection.isConnected) {
      if (kind === 'disconnected') this.#join();
    } else if (kind !== 'disconnected') {
      this.#options.onInterrupted();
      this.#enter({ kind: 'disconnected' });
    } else {
      this.#options.onPhase();
    }
  }

  #join(): void {
    const { connection, deadlineMs, joinRequest, onJoined } = this.#options;
    this.#isRejoinDue = false;
    const phase = this.#enter({ kind: 'joining' });
    // It is told of when that is answered.
    if (this.#isJoinUnanswered) return;
    this.#isJoinUnanswered = true;
    connection.request('session:join', joinRequest(), deadlineMs, {
      onReply: (reply) => {
        this.#isJoinUnanswered = false;
        if (phase !== this.#phase) return this.#onLateAnswer();
        if (this.#isRejoinDue) this.#join();
        else if (onJoined(reply)) this.#takePage(phase, reply);
        else if (phase === this.#phase) this.#pause(this.#backoff.nextMs());
      },
      onRefusal: (refusal) => {
        this.#isJoinUnanswered = false;
        if (phase === this.#phase) this.#onRefused(refusal);
        else this.#onLateAnswer();
      },
    });
  }

  /** Of a join from before we left. */
  #onLateAnswer(): void {
    const { kind } = this.#phase;
    if (kind === 'idle') this.#sendLeave();
    if (kind === 'joining') this.#join();
  }

  #sendLeave(): void {
    const { connection, sessionId } = this.#options;
    connection.send('session:leave', { sessionId });
  }

  #onRefused(refusal: Refusal): void {
    const { connection, onRefused } = this.#options;
    // An unanswered join may still be carried out; only on another connection can it not get between.
    if (refusal.isUnanswered) return connection.recycle(refusal.error.message);
    switch (onRefused(refusal)) {
      case 'at-once':
        return this.#join();
      case 'later':
        return this.#pauseFor(refusal);
      case 'never':
        return this.refuse(refusal.error);
    }
  }

  /** `phase` is the one in which the page was asked for: a listener may have closed the session while it was handed on. */
  #takePage(phase: Phase, page: Page): void {
    if (phase !== this.#phase) return;
    const isContinued = this.#options.onPage(page);
    if (phase !== this.#phase) return;
    if (!isContinued) return this.#pause(this.#backoff.nextMs());
    if (!page.more) return this.#goLive();
    const next = this.#enter({ kind: 'catching-up' });
    if (page.entries.length > 0) return this.#requestPage(next, page.next);
    // The server waits for entries itself.
    this.#cancelPause = this.#options.timers.after(this.#backoff.nextMs(), () => this.#requestPage(next, page.next));
  }

  #requestPage(phase: Phase, after: Mark): void {
    const { connection, sessionId, deadlineMs } = this.#options;
    connection.request('operation:catch-up', { sessionId, after }, deadlineMs, {
      onReply: (page) => this.#takePage(phase, page),
      onRefusal: (refusal) => {
        if (phase === this.#phase) this.#pauseFor(refusal);
      },
    });
  }

  #goLive(): void {
    this.#liveSinceMs = this.#options.timers.now();
    this.#enter({ kind: 'live' });
    this.#options.onLive();
  }

  #pauseFor({ action, error }: Refusal): void {
    this.#pause(this.#backoff.nextMs(error.details.retryAfterMs), action === 'wait' ? { delayedBy: error } : {});
  }

  #pause(delayMs: number, why: { delayedBy?: FlowError } = {}): void {
    this.#enter({ kind: 'paused', ...why });
    this.#cancelPause = this.#options.timers.after(delayMs, () => this.#join());
  }

  #enter(phase: Phase): Phase {
    this.#cancelPause?.();
    this.#cancelPause = null;
    this.#phase = phase;
    this.#options.onPhase();
    return phase;
  }
}
