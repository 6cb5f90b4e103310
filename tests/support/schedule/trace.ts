import { createLogger, silentLogger, type Logger } from '../../../src/lib/logger';

/** What must hold whatever happens; a failing schedule names one of these. */
export const INVARIANTS = {
  dense: 'the history counts 1, 2, 3 … without a hole',
  unique: 'every operation has one place in the history',
  order: 'operations of one author are in the order in which they were written',
  base: 'a proposal stands right behind the position it was made for',
  tag: 'at one seq everybody has one tag, and tags are those of the history',
  saved: 'what was reported as saved is in the store, at its place, and stays there',
  complete: 'every operation of an author who is still there is saved in the end',
  delivered: 'entries arrive each once, in order, between two resets or forks',
  wait: 'everybody has everything soon after the last fault is over',
  epoch: 'what is ordered under an epoch is not thrown away for the sake of the same or an older one',
  fencing: 'a process that was fenced does not take the session back',
  fault: 'every planned fault really happened',
} as const;

export type Invariant = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

/** Enough to see what led to a violation; more nobody reads. */
const SHOWN_LINES = 60;
const SHOWN_VIOLATIONS = 8;

/** What happened in one schedule, and what must not have. */
export class Trace {
  readonly violations: Violation[] = [];
  readonly counts: Record<string, number> = {};
  readonly #isDetailed: boolean;
  readonly #startedAt = performance.now();
  readonly #lines: string[] = [];
  /** Lines before the first violation are worth more than those after it. */
  #isFrozen = false;

  constructor({ isDetailed = false } = {}) {
    this.#isDetailed = isDetailed;
  }

  note(text: string): void {
    if (!this.#isFrozen) this.#lines.push(`${this.#now()} ${text}`);
  }

  /** What only somebody who looks into one schedule wants to know. */
  detail(text: () => string): void {
    if (this.#isDetailed) this.note(text());
  }

  /** What a server logs, where details are wanted. */
  logger(instanceId: string): Logger {
    if (!this.#isDetailed) return silentLogger;
    return createLogger({ level: 'info', instanceId }, { write: (line) => this.note(line.trim()) });
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  violated(invariant: Invariant, what: string): void {
    this.note(`✗ ${invariant}: ${what}`);
    this.violations.push({ invariant, what });
    if (this.violations.length >= SHOWN_VIOLATIONS) this.#isFrozen = true;
  }

  get invariantsBroken(): ReadonlySet<Invariant> {
    return new Set(this.violations.map(({ invariant }) => invariant));
  }

  /** What a failing test says. */
  report(heading: string): string {
    const [first] = this.violations;
    if (!first) return `${heading}: nothing was broken`;
    return [
      `${heading} breaks "${first.invariant}" (${INVARIANTS[first.invariant]})`,
      ...this.violations.slice(0, SHOWN_VIOLATIONS).map(({ invariant, what }) => `  ${invariant}: ${what}`),
      'what happened (ms):',
      ...this.#lines.slice(this.#isDetailed ? 0 : -SHOWN_LINES).map((line) => `  ${line}`),
    ].join('\n');
  }

  #now(): string {
    return Math.round(performance.now() - this.#startedAt)
      .toString()
      .padStart(5);
  }
}
