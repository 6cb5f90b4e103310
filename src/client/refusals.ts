import type { Mark } from '../protocol/positions';
import { ERRORS, FlowError, type ErrorAction, type ErrorCode } from '../protocol/errors';

/** Why a request failed and what to do about it. The action is the server's word, also for codes this client does not know. */
export interface Refusal {
  readonly action: ErrorAction;
  readonly error: FlowError;
  /** The server did not say this: its answer never came, and what was asked may still be done. */
  readonly isUnanswered: boolean;
}

const ACTIONS: readonly string[] = ['resend', 'rebase', 'rejoin', 'wait', 'stop'] satisfies ErrorAction[];

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code);

const isAction = (action: unknown): action is ErrorAction => typeof action === 'string' && ACTIONS.includes(action);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isMark = (value: unknown): value is Mark =>
  isObject(value) && typeof value['seq'] === 'number' && typeof value['tag'] === 'string';

/** The error half of an acknowledgement, or null where `value` is none. */
export function readRefusal(value: unknown): Refusal | null {
  if (!isObject(value) || typeof value['code'] !== 'string') return null;
  const { code, message, action, retryAfterMs, expected, head, errorId } = value;
  const known = isErrorCode(code) ? code : 'INTERNAL';
  const text = typeof message === 'string' ? message : ERRORS[known].meaning;
  const error = new FlowError(known, known === code ? text : `${code}: ${text}`, {
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(typeof expected === 'number' ? { expected } : {}),
    ...(isMark(head) ? { head } : {}),
    ...(typeof errorId === 'string' ? { errorId } : {}),
  });
  return { error, action: isAction(action) ? action : ERRORS[known].action, isUnanswered: false };
}

export function unanswered(why: string): Refusal {
  return { error: new FlowError('NOT_DELIVERED', why), action: ERRORS.NOT_DELIVERED.action, isUnanswered: true };
}

/** The same thing refused so many times in a row is no accident (CL3). */
const MAX_REFUSALS = 8;

/** Counts refusals of the same thing in a row, so that nothing is tried for ever that will never be taken. */
export class RefusalCounter {
  #subject: string | number = '';
  #count = 0;

  /** True: enough, tell the user. A service that is away or busy is waited for as long as it takes. */
  isHopeless({ error }: Refusal, subject: string | number): boolean {
    const { httpStatus } = ERRORS[error.code];
    if (httpStatus === 503 || httpStatus === 429) return false;
    this.#count = subject === this.#subject ? this.#count + 1 : 1;
    this.#subject = subject;
    return this.#count >= MAX_REFUSALS;
  }

  clear(): void {
    this.#subject = '';
    this.#count = 0;
  }
}
