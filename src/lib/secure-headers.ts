import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** What any answer may do in a browser, should one show it: nothing, in nobody's frame. */
const NOTHING: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** The Content-Security-Policy of a page that may do what is given here, and else nothing. */
export const contentPolicy = (allowed: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries({ ...NOTHING, ...allowed })
    .map(([directive, sources]) => [directive, ...sources].join(' '))
    .join('; ');

/** Headers of every answer. A page that needs more sets a policy of its own. */
export const secureHeaders: (
  request: IncomingMessage,
  response: ServerResponse,
  next: (fault?: unknown) => void,
) => void = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
  xFrameOptions: { action: 'deny' },
  // Whoever ends TLS in front of this server knows for which names, and for how long, there is nothing but TLS.
  strictTransportSecurity: false,
});
