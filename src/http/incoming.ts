import express, { type Request, type RequestHandler, type Response } from 'express';
import type { Credentials } from '../access/access';
import type { Authentication } from '../access/authentication';
import { peerAddress } from '../lib/peer-address';
import { FlowError } from '../protocol/errors';
import { nothing, type Endpoint } from './endpoints';
import type { Limiting } from './limiting';
import type { Incoming } from './serve';

/** Titles and ids, with room to spare. */
const SMALL_BODY_BYTES = 16_384;
/** Room for a batch at its limit and everything around it; what is moderately too large still gets the batch's own TOO_LARGE. */
const BATCH_ALLOWANCE = 2;
const BEARER = /^Bearer +(\S.*)$/i;

/** Makes the readers of requests, with body parsers that know their limits. */
export function createReader(services: ReaderServices) {
  const { authentication, limiting, trustProxy, maxBatchBytes } = services;
  /** Who sends the body of a request, once that is known. */
  const callers = new WeakMap<object, string>();
  const demandBytes = (request: object, bytes: number): void => {
    const userId = callers.get(request);
    if (userId !== undefined) limiting.demandBytes(userId, bytes);
  };
  const parsers = {
    small: jsonParser(SMALL_BODY_BYTES, demandBytes),
    batch: jsonParser(maxBatchBytes * BATCH_ALLOWANCE, demandBytes),
  };

  return (endpoint: Endpoint, request: Request, response: Response): Incoming => ({
    mountPath: request.baseUrl,
    params: request.params,
    get query() {
      return queryOf(request);
    },
    async readBody() {
      if (endpoint.body === nothing) return undefined;
      await runParser(parsers[endpoint.bodySize], request, response);
      const body: unknown = request.body;
      if (body !== undefined) return body;
      if (hasBody(request)) throw new FlowError('BAD_REQUEST', 'The body must be JSON, sent as application/json.');
      return {};
    },
    async identify() {
      const user = await authentication.identify(credentialsOf(request, trustProxy));
      callers.set(request, user.userId);
      await limiting.demandOfUser(user.userId, endpoint, response);
      return user;
    },
    isAdministrator: async () => isAdministrator(authentication, credentialsOf(request, trustProxy)),
  });
}

interface ReaderServices {
  readonly authentication: Authentication;
  readonly limiting: Limiting;
  /** Proxies that may say where a request came from. */
  readonly trustProxy: number;
  readonly maxBatchBytes: number;
}

/** `onBytes` sees how long a body is before it is parsed, and may throw. */
function jsonParser(limitBytes: number, onBytes: (request: object, bytes: number) => void): RequestHandler {
  return express.json({
    limit: limitBytes,
    type: ['application/json', 'application/*+json'],
    verify: (request, _response, bytes) => onBytes(request, bytes.length),
  });
}

function runParser(parser: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    void parser(request, response, (fault?: unknown) => {
      if (fault === undefined) resolve();
      else reject(bodyRefusal(fault));
    });
  });
}

/** The parser says what was wrong by an HTTP status; what has none is a fault. */
function bodyRefusal(fault: unknown): Error {
  if (fault instanceof FlowError) return fault;
  const status = fault instanceof Error && 'status' in fault ? fault.status : undefined;
  if (status === 413) return new FlowError('TOO_LARGE', 'The body is too large.', {}, { cause: fault });
  if (typeof status === 'number' && status < 500) {
    return new FlowError('BAD_REQUEST', 'The body is not valid JSON.', {}, { cause: fault });
  }
  return fault instanceof Error ? fault : new Error('reading the body failed', { cause: fault });
}

const hasBody = ({ headers }: Request): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Read from the URL itself: an application that we are part of may have turned Express's own parser off. */
function queryOf({ url }: Request): Record<string, string> {
  // A whole address, as proxies are asked, need not be one.
  if (!URL.canParse(url, 'http://localhost')) throw new FlowError('BAD_REQUEST', 'The address is not valid.');
  const { searchParams } = new URL(url, 'http://localhost');
  const query: Record<string, string> = {};
  for (const [name, value] of searchParams) {
    if (Object.hasOwn(query, name)) throw new FlowError('BAD_REQUEST', 'A query parameter is given twice.');
    // An ordinary property whatever its name, so that the schema sees it.
    Object.defineProperty(query, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return query;
}

export const credentialsOf = (request: Request, trustProxy: number): Credentials => ({
  token: tokenOf(request),
  address: peerAddress(request, trustProxy),
  userAgent: request.headers['user-agent'] ?? '',
  via: 'http',
});

/** Who shows nothing is none; who shows something that is not valid hears of it. */
export async function isAdministrator(authentication: Authentication, credentials: Credentials): Promise<boolean> {
  const { token } = credentials;
  if (token === undefined) return false;
  return authentication.isAdminToken(token) || (await authentication.identify(credentials)).isAdministrator;
}

/** Undefined: nobody says who they are. */
function tokenOf({ headers: { authorization } }: Request): string | undefined {
  if (authorization === undefined) return undefined;
  const token = BEARER.exec(authorization)?.[1]?.trim();
  if (token !== undefined) return decoded(token);
  throw new FlowError('UNAUTHENTICATED', 'The Authorization header must be: Bearer, a space, the token.');
}

/** Node reads headers as Latin-1; whoever has a name in other letters sends it as UTF-8. */
function decoded(token: string): string {
  try {
    return UTF8.decode(Buffer.from(token, 'latin1'));
  } catch {
    return token;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });
