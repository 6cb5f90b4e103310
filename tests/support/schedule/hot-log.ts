import type { Clock } from '../../../src/lib/clock';
import type { EventOrdering, Hint, Submission } from '../../../src/ordering/event-ordering';
import { MemoryEventOrdering } from '../../../src/ordering/memory-event-ordering';
import type { ClientRow } from '../../../src/protocol/entry';
import type { Mark, Position } from '../../../src/protocol/positions';

/** The order of one session as several instances share it, with what can go wrong there outside of them all. */
export interface SharedLog extends EventOrdering {
  /** Whether there is something to lose. */
  readonly hasEntries: boolean;
  /** So often a log was replaced by one of the same epoch or an older one (ST4). */
  readonly overruled: number;
  /** All is lost. False: there was nothing. */
  vanish(): Promise<boolean>;
  /** Loses the last accepted entries, at most so many, and whatever else was done since. Answers how many. */
  fallBack(entries: number): Promise<number>;
}

type Step =
  | { readonly kind: 'seed'; readonly epoch: number; readonly head: Mark }
  | { readonly kind: 'admit'; readonly epoch: number; readonly clientId: string; readonly stored: ClientRow | null }
  | { readonly kind: 'append'; readonly submission: Submission; readonly at: number; readonly isAccepted: boolean }
  | { readonly kind: 'saved'; readonly saved: Position }
  | { readonly kind: 'release' };

/**
 * The hot log of one session as several instances share it, and as it can go wrong outside of them all: it vanishes, or it
 * comes back as it was some time ago. An older copy is made by doing again what had been done to it until then; the same
 * appends give the same tags.
 */
export class HotLog implements SharedLog {
  readonly scope = 'shared';
  overruled = 0;
  readonly #sessionId: string;
  readonly #clock: Clock;
  readonly #followers = new Set<(hint: Hint) => void>();
  #log: MemoryEventOrdering;
  #steps: Step[] = [];
  #replayedAt: number | null = null;
  #unfollow: Promise<() => Promise<void>> | null = null;

  constructor(sessionId: string, clock: Clock) {
    this.#sessionId = sessionId;
    this.#clock = clock;
    this.#log = this.#empty();
  }

  async describe(): ReturnType<EventOrdering['describe']> {
    return this.#log.describe([this.#sessionId]);
  }

  async seed(_: string, epoch: number, head: Mark): Promise<boolean> {
    this.#steps.push({ kind: 'seed', epoch, head });
    // Both in this turn.
    const [before, isSeeded] = [this.describe(), this.#log.seed(this.#sessionId, epoch, head)];
    const [log] = await before;
    if (log && log.epoch >= epoch && (await isSeeded)) this.overruled += 1;
    return isSeeded;
  }

  async admit(
    _: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): ReturnType<EventOrdering['admit']> {
    this.#steps.push({ kind: 'admit', epoch, clientId, stored });
    return this.#log.admit(this.#sessionId, epoch, clientId, stored);
  }

  async append(_: string, submission: Submission): ReturnType<EventOrdering['append']> {
    const at = this.#clock.now();
    // Its state changes in this turn; only the answer comes later.
    const answer = this.#log.append(this.#sessionId, submission);
    const index = this.#steps.push({ kind: 'append', submission, at, isAccepted: false }) - 1;
    const step = this.#steps;
    const result = await answer;
    if (result.status === 'accepted') step[index] = { kind: 'append', submission, at, isAccepted: true };
    return result;
  }

  read(_: string, afterSeq: number, maxBytes: number): ReturnType<EventOrdering['read']> {
    return this.#log.read(this.#sessionId, afterSeq, maxBytes);
  }

  async markSaved(_: string, saved: Position): Promise<void> {
    this.#steps.push({ kind: 'saved', saved });
    return this.#log.markSaved(this.#sessionId, saved);
  }

  async follow(_: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    this.#followers.add(onHint);
    this.#attach();
    return async () => {
      this.#followers.delete(onHint);
      if (this.#followers.size === 0) this.#detach();
    };
  }

  async release(): Promise<void> {
    this.#steps.push({ kind: 'release' });
    return this.#log.release(this.#sessionId);
  }

  get hasEntries(): boolean {
    return this.#steps.some((step) => step.kind === 'append' && step.isAccepted);
  }

  async vanish(): Promise<boolean> {
    const [log] = await this.describe();
    this.#replaceBy([]);
    return log !== null;
  }

  async fallBack(entries: number): Promise<number> {
    let lost = 0;
    let end = this.#steps.length;
    for (let index = this.#steps.length - 1; index >= 0 && lost < entries; index -= 1) {
      const step = this.#steps[index];
      if (step?.kind !== 'append' || !step.isAccepted) continue;
      lost += 1;
      end = index;
    }
    if (lost > 0) this.#replaceBy(this.#steps.slice(0, end));
    return lost;
  }

  #replaceBy(steps: readonly Step[]): void {
    this.#detach();
    this.#log = this.#empty();
    this.#steps = [...steps];
    for (const step of steps) this.#redo(step);
    this.#replayedAt = null;
    if (this.#followers.size > 0) this.#attach();
  }

  /** Nothing awaits, so it is done within this turn. */
  #redo(step: Step): void {
    const sessionId = this.#sessionId;
    switch (step.kind) {
      case 'seed':
        return void this.#log.seed(sessionId, step.epoch, step.head);
      case 'admit':
        return void this.#log.admit(sessionId, step.epoch, step.clientId, step.stored);
      case 'append':
        this.#replayedAt = step.at;
        return void this.#log.append(sessionId, step.submission);
      case 'saved':
        return void this.#log.markSaved(sessionId, step.saved);
      case 'release':
        return void this.#log.release(sessionId);
    }
  }

  #empty(): MemoryEventOrdering {
    const now = (): number => this.#replayedAt ?? this.#clock.now();
    return new MemoryEventOrdering({ clock: { ...this.#clock, now }, scope: 'shared' });
  }

  #attach(): void {
    this.#unfollow ??= this.#log.follow(this.#sessionId, (hint) => {
      for (const onHint of this.#followers) onHint(hint);
    });
  }

  #detach(): void {
    void this.#unfollow?.then((unfollow) => unfollow());
    this.#unfollow = null;
  }
}
