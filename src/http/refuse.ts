import type { Request, Response } from 'express';
import type { Clock } from '../lib/clock';
import { toFlowError } from '../lib/faults';
import type { Logger } from '../lib/logger';
import { RefusalLog } from '../lib/refusal-log';
import { ERRORS } from '../protocol/errors';
import type { Telemetry } from '../telemetry/telemetry';
import { sendRefusal } from './outgoing';
import { pathOf } from './request-log';

/** Answers a request with an error; the table's HTTP status unless given. */
export type Refuse = (fault: unknown, request: Request, response: Response, status?: number) => void;

/** Every refusal goes out here, is counted, and is logged at its code's level; what is no FlowError becomes INTERNAL. */
export function createRefuse({ log, clock, telemetry }: { log: Logger; clock: Clock; telemetry: Telemetry }): Refuse {
  const httpLog = log.child({ component: 'http' });
  // Whoever floods is not to fill the log as well.
  const limited = new RefusalLog({ log: httpLog, clock });
  return (fault, request, response, status) => {
    const path = pathOf(request.originalUrl);
    if (response.headersSent) {
      // The answer is on its way: cutting it short is all that can still be said.
      const isCallerGone = request.socket.destroyed;
      httpLog[isCallerGone ? 'debug' : 'error']({ err: fault, path }, 'an answer broke off');
      response.destroy();
      return;
    }
    const error = toFlowError(fault);
    telemetry.refused(error);
    if (error.code === 'RATE_LIMITED') {
      limited.add(error, `${request.method} ${path}`);
    } else {
      httpLog[ERRORS[error.code].logLevel](
        { err: error, method: request.method, path, ...error.details },
        'request refused',
      );
    }
    sendRefusal(response, error, status);
  };
}
