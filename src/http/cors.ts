import type { RequestHandler } from 'express';
import { isOriginAllowed, type OriginRules } from '../lib/origin';
import { FlowError } from '../protocol/errors';
import type { Refuse } from './refuse';

/** How long a browser remembers a permission; browsers cap it themselves. */
const PREFLIGHT_MAX_AGE_SECONDS = 600;
const REQUEST_HEADERS = 'Authorization, Content-Type, If-None-Match';
const READABLE_HEADERS = 'ETag, Flow-Seq, Flow-Tag, Location, RateLimit, RateLimit-Policy, Retry-After';
const HARMLESS_METHODS = ['GET', 'HEAD'];

/**
 * Lets pages of allowed origins in. A page of another origin cannot read what it gets, and what changes something is refused:
 * browsers send some of that without asking first.
 */
export function cors(rules: OriginRules, methods: readonly string[], refuse: Refuse): RequestHandler {
  return (request, response, next) => {
    const { origin, host } = request.headers;
    response.vary('Origin');
    if (origin === undefined) return next();
    if (!isOriginAllowed(origin, host, rules)) {
      if (HARMLESS_METHODS.includes(request.method)) return next();
      return refuse(new FlowError('FORBIDDEN', 'Pages of this origin may not call this server.'), request, response);
    }
    response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': READABLE_HEADERS });
    if (request.method !== 'OPTIONS') return next();
    response.set({
      'Access-Control-Allow-Methods': methods.join(', '),
      'Access-Control-Allow-Headers': REQUEST_HEADERS,
      'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE_SECONDS),
    });
    next();
  };
}
