import { z } from 'zod';
import type { User } from '../access/access';
import type { Admission, Authorisation } from '../access/authorisation';
import type { Action } from '../access/permissions';
import type { Endpoint } from './endpoints';
import { sessionParams } from './schemas';
import { serveUser, type Answer, type Call, type Route } from './serve';

type SessionEndpoint = Endpoint & { access: 'user'; action: Action };

/** What every endpoint of a session has in its path. */
const inSession = z.looseObject(sessionParams.shape);

/** Answers an endpoint of a session, for callers who may do there what it does. */
export function serveSession<E extends SessionEndpoint>(
  authorisation: Authorisation,
  endpoint: E,
  handle: (call: Call<E> & Admission & { user: User }) => Promise<Answer<z.output<E['reply']>>>,
): Route {
  return serveUser(endpoint, async (call) => {
    const { sessionId } = inSession.parse(call.params);
    return handle({ ...call, ...(await authorisation.admit(call.user, sessionId, endpoint.action)) });
  });
}
