import type { RequestHandler } from 'express';
import { pinoHttp } from 'pino-http';
import type { Logger } from '../lib/logger';

/** One debug line per request: method, path, status, duration. No headers and no query: either may hold a secret. */
export function requestLog(log: Logger): RequestHandler {
  return pinoHttp({
    logger: log.child({ component: 'http' }),
    quietReqLogger: true,
    customLogLevel: () => 'debug',
    customSuccessMessage: () => 'request answered',
    customErrorMessage: () => 'request answered',
    wrapSerializers: false,
    serializers: {
      req: ({ method, originalUrl }: { method: string; originalUrl: string }) => ({
        method,
        path: pathOf(originalUrl),
      }),
      res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
    },
  });
}

/** Longer ones are nobody's, and would fill the disk. */
const MAX_PATH_CHARS = 400;

export const pathOf = (url: string): string => (url.split('?')[0] ?? '').slice(0, MAX_PATH_CHARS);
