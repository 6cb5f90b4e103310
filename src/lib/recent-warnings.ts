import type { Clock } from './clock';
import { faultCode } from './system-faults';

export type WarningLevel = 'warn' | 'error' | 'fatal';

/** One thing that was logged, however often. */
export interface Warning {
  readonly level: WarningLevel;
  readonly component?: string;
  readonly message: string;
  /** The code of what went wrong, such as ENOSPC. */
  readonly fault?: string;
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Different ones that are kept: more than anybody reads on a screen. */
const MAX_WARNINGS = 30;
/** Of a message or a code. */
const MAX_CHARS = 200;

/**
 * What was logged last as a warning or worse. Of a line only its constant message, its component and the code of its fault are kept:
 * everything else may name a session or hold what people wrote. What is logged again counts up.
 */
export class RecentWarnings {
  readonly #clock: Clock;
  /** The oldest first, by when they were last logged. */
  readonly #warnings = new Map<string, Warning>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** `line`: the arguments of a logger's method. */
  note(level: WarningLevel, component: unknown, line: readonly unknown[]): void {
    const message = line.find((part) => typeof part === 'string');
    if (message === undefined) return;
    const fault = codeOf(line[0]);
    const shown = {
      level,
      ...(typeof component === 'string' ? { component } : {}),
      message: message.slice(0, MAX_CHARS),
      ...(fault === '' ? {} : { fault: fault.slice(0, MAX_CHARS) }),
    };
    const key = JSON.stringify(shown);
    const lastAt = this.#clock.now();
    const { count, firstAt } = this.#warnings.get(key) ?? { count: 0, firstAt: lastAt };
    // Taken out first, so that it becomes the newest.
    this.#warnings.delete(key);
    this.#warnings.set(key, { ...shown, count: count + 1, firstAt, lastAt });
    const [oldest] = this.#warnings.keys();
    if (this.#warnings.size > MAX_WARNINGS && oldest !== undefined) this.#warnings.delete(oldest);
  }

  newestFirst(): Warning[] {
    return [...this.#warnings.values()].reverse();
  }
}

/** Of the fault in the fields of a line, or of what caused it. */
function codeOf(fields: unknown): string {
  if (typeof fields !== 'object' || fields === null || !('err' in fields)) return '';
  let { err: fault } = fields;
  let code = faultCode(fault);
  while (typeof fault === 'object' && fault !== null && 'cause' in fault && fault.cause !== undefined) {
    fault = fault.cause;
    code = faultCode(fault) || code;
  }
  return code;
}
