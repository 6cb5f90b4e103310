import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express';
import { isNameAllowed, NAME_REFUSED } from '../lib/origin';
import { secureHeaders } from '../lib/secure-headers';
import { FlowError } from '../protocol/errors';
import { cors } from './cors';
import { deviceRoutes } from './device-routes';
import { documentRoutes } from './document-routes';
import { healthRoutes } from './health-routes';
import type { HttpServices } from './http-services';
import { createReader } from './incoming';
import { Limiting } from './limiting';
import { operationRoutes } from './operation-routes';
import { send } from './outgoing';
import { referenceRoutes } from './reference-routes';
import { createRefuse, type Refuse } from './refuse';
import { roleRoutes } from './role-routes';
import { requestLog } from './request-log';
import type { Route } from './serve';
import { sessionRoutes } from './session-routes';
import { statsRoutes } from './stats-routes';

/** How long a caller waits who came before the server was ready, or too late. */
const NOT_READY_RETRY_MS = 1_000;

/**
 * The HTTP side of the server. It touches only requests to its own paths and to what is unknown under /api, so that it can
 * be mounted in an application that has more.
 */
export function createHttpRouter(services: HttpServices): Router {
  const { originRules, phase, log } = services;
  const router = express.Router();
  const refuse = createRefuse(services);
  const limiting = new Limiting(services);
  const read = createReader({ ...services, limiting });
  const entry = [requestLog(log), secureHeaders, closeWhileDraining(phase)];

  async function respond({ endpoint, answer }: Route, request: Request, response: Response): Promise<void> {
    if (endpoint.access === 'user') {
      demandReady(phase());
      const { origin, host } = request.headers;
      if (!isNameAllowed(origin, host, originRules)) throw new FlowError('FORBIDDEN', NAME_REFUSED);
    }
    if (endpoint.access !== 'public') await limiting.demandOfAddress(request, response);
    await send(endpoint, await answer(read(endpoint, request, response)), request, response);
  }

  for (const [path, routes] of byPath(routesOf(services))) {
    const methods = methodsOf(routes);
    router.all(path, ...entry, cors(originRules, methods, refuse));
    for (const route of routes) {
      router[route.endpoint.method](path, (request, response) => {
        respond(route, request, response).catch((fault: unknown) => refuse(fault, request, response));
      });
    }
    router.all(path, (request, response) => {
      response.set('Allow', methods.join(', '));
      if (request.method === 'OPTIONS') response.status(204).end();
      else refuse(new FlowError('BAD_REQUEST', 'This path does not have this method.'), request, response, 405);
    });
  }
  router.all(['/api', '/api/*splat'], ...entry, (request, response) => {
    refuse(new FlowError('BAD_REQUEST', 'There is no such endpoint.'), request, response, 404);
  });
  return router.use(refuseUndecodable(refuse));
}

function routesOf(services: HttpServices): Route[] {
  return [
    ...healthRoutes(services),
    ...statsRoutes(services),
    ...sessionRoutes(services),
    ...documentRoutes(services),
    ...operationRoutes(services),
    ...roleRoutes(services),
    ...deviceRoutes(services),
    ...referenceRoutes(services),
  ];
}

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const { path } = route.endpoint;
    groups.set(path, [...(groups.get(path) ?? []), route]);
  }
  return groups;
}

/** As the Allow header lists them. */
function methodsOf(routes: readonly Route[]): string[] {
  const methods = routes.map(({ endpoint }) => endpoint.method.toUpperCase());
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
}

/** A server that stops waits for its connections. */
function closeWhileDraining(phase: HttpServices['phase']): RequestHandler {
  return (_request, response, next) => {
    if (phase() === 'draining') response.set('Connection', 'close');
    next();
  };
}

/** Express decodes the parameters of a path before any route of ours runs: `%` and what is no hex digits ends here. */
function refuseUndecodable(refuse: Refuse): ErrorRequestHandler {
  return (fault: unknown, request, response, next) => {
    if (!(fault instanceof URIError)) return next(fault);
    refuse(new FlowError('BAD_REQUEST', 'The path is not valid.', {}, { cause: fault }), request, response);
  };
}

function demandReady(phase: ReturnType<HttpServices['phase']>): void {
  switch (phase) {
    case 'ready':
      return;
    case 'starting':
      throw new FlowError('BUSY', 'The server is starting.', { retryAfterMs: NOT_READY_RETRY_MS });
    case 'draining':
      throw new FlowError('DRAINING', undefined, { retryAfterMs: NOT_READY_RETRY_MS });
  }
}
