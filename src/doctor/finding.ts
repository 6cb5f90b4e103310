/** What a check found: one line. */
export interface Finding {
  readonly status: 'ok' | 'warn' | 'FAIL';
  /** What was looked at. */
  readonly what: string;
  /** How it is and, unless it is well, what to do about it, naming the variable. */
  readonly message: string;
}

/** Findings as they come: a check that hangs or dies takes none of the earlier ones along. */
export type Findings = AsyncGenerator<Finding, void, undefined>;

const finding =
  (status: Finding['status']) =>
  (what: string, message: string): Finding => ({ status, what, message });

export const ok = finding('ok');
export const warn = finding('warn');
export const fail = finding('FAIL');
