import type { RequestHandler } from 'express';
import type { Authentication } from '../access/authentication';
import { FlowError } from '../protocol/errors';
import { credentialsOf, isAdministrator } from './incoming';
import type { Refuse } from './refuse';

/**
 * Lets administrators through, by ADMIN_TOKEN or a token of their own, and nobody else: for what is theirs alone. Mount it before
 * what it guards; whoever is no administrator does not learn whether anything is there.
 */
export function administratorsOnly({
  authentication,
  trustProxy,
  refuse,
}: {
  authentication: Authentication;
  /** Proxies that may say where a request came from. */
  trustProxy: number;
  refuse: Refuse;
}): RequestHandler {
  async function demand(request: Parameters<RequestHandler>[0]): Promise<void> {
    const credentials = credentialsOf(request, trustProxy);
    if (credentials.token === undefined)
      throw new FlowError('UNAUTHENTICATED', 'A token of an administrator is needed.');
    if (!(await isAdministrator(authentication, credentials)))
      throw new FlowError('FORBIDDEN', 'This is for administrators only.');
  }

  return (request, response, next) => {
    demand(request).then(
      () => next(),
      (fault: unknown) => refuse(fault, request, response),
    );
  };
}
