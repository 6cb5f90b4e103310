/** What a client does about a refusal. The SDK obeys it without looking at the code. */
export type ErrorAction = 'resend' | 'rebase' | 'rejoin' | 'wait' | 'stop';

interface ErrorRow {
  readonly meaning: string;
  readonly httpStatus: number;
  readonly action: ErrorAction;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** The one table of error codes. The README's table is tested against it. */
export const ERRORS = {
  BAD_REQUEST: row('The request does not match its schema.', 400, 'stop', 'info'),
  UNAUTHENTICATED: row('The caller has not said who they are, or cannot prove it.', 401, 'stop', 'info'),
  FORBIDDEN: row('The caller may not do this.', 403, 'stop', 'info'),
  VERSION_UNSUPPORTED: row('The client speaks another protocol version.', 426, 'stop', 'info'),
  SESSION_NOT_FOUND: row('No such session, or it was closed.', 404, 'stop', 'debug'),
  SESSION_EXISTS: row('A session with this id exists already.', 409, 'stop', 'debug'),
  NOT_JOINED: row('The connection has not joined the session.', 409, 'rejoin', 'debug'),
  CLIENT_UNKNOWN: row('The session does not know this client: join again with the same id.', 409, 'rejoin', 'debug'),
  CLIENT_INVALID: row(
    'The client id is not one issued to this user for this session: join again without it.',
    403,
    'rejoin',
    'info',
  ),
  CLIENT_REPLACED: row('A newer connection speaks for this client.', 409, 'stop', 'info'),
  CLIENT_SEQ_GAP: row('Earlier operations of this client are missing: send from `expected`.', 409, 'resend', 'debug'),
  CLIENT_SEQ_CONFLICT: row('Another operation was accepted under this clientSeq.', 409, 'rejoin', 'warn'),
  STALE_BASE: row('The document has moved on from `base`: rebase onto `head`.', 409, 'rebase', 'debug'),
  NOT_DELIVERED: row('The operation may or may not have been ordered: send it again.', 503, 'resend', 'info'),
  TOO_LARGE: row('A payload, a batch or a frame is over its limit.', 413, 'stop', 'info'),
  RATE_LIMITED: row('Too much by one caller: wait `retryAfterMs`.', 429, 'wait', 'info'),
  BUSY: row('The server has too much in flight: wait `retryAfterMs`.', 503, 'wait', 'info'),
  BACKEND_UNAVAILABLE: row('A service behind the server is away: wait `retryAfterMs`.', 503, 'wait', 'warn'),
  STORE_UNAVAILABLE: row('The store does not take more for now: wait `retryAfterMs`.', 503, 'wait', 'warn'),
  DRAINING: row('This server is stopping: connect again.', 503, 'wait', 'info'),
  SLOW_CONSUMER: row(
    'Reserved. A connection that does not read fast enough is cut off without a word: join again and catch up.',
    503,
    'rejoin',
    'info',
  ),
  CODE_INVALID: row('Reserved. The join code is wrong, used or expired.', 404, 'stop', 'info'),
  INTERNAL: row('A fault of the server, logged under `errorId`.', 500, 'wait', 'error'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The error half of every acknowledgement, and the body of every HTTP error. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly action: ErrorAction;
  readonly retryAfterMs?: number;
  /** CLIENT_SEQ_GAP: the clientSeq the server waits for. */
  readonly expected?: number;
  /** STALE_BASE: where the document is now. */
  readonly head?: { readonly seq: number; readonly tag: string };
  /** INTERNAL: the id under which the log has the cause. */
  readonly errorId?: string;
}

type ErrorDetails = Pick<WireError, 'retryAfterMs' | 'expected' | 'head' | 'errorId'>;

/** The only error class that crosses a port or the wire. Everything else is a fault and becomes INTERNAL. */
export class FlowError extends Error {
  override readonly name = 'FlowError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message?: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message ?? ERRORS[code].meaning, options);
    this.code = code;
    this.details = details;
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, action: ERRORS[this.code].action, ...this.details };
  }
}

function row(meaning: string, httpStatus: number, action: ErrorAction, logLevel: ErrorRow['logLevel']): ErrorRow {
  return { meaning, httpStatus, action, logLevel };
}
