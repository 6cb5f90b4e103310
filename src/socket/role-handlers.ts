import type { Authorisation } from '../access/authorisation';
import { REQUEST_ACTIONS } from '../access/permissions';
import { linkAccess, type Requests } from '../protocol/schemas';
import type { AccessSetting } from '../storage/session-roles';
import type { Connection } from './connection';

/** role:list, role:set. They need not be joined. */
export function serveRoles(connection: Connection, { authorisation }: { authorisation: Authorisation }): void {
  connection.serve('role:list', async ({ sessionId }, respond) => {
    await authorisation.admit(connection.user, sessionId, REQUEST_ACTIONS['role:list']);
    respond(await authorisation.list(sessionId));
  });

  connection.serve('role:set', async (request, respond) => {
    const { sessionId } = request;
    await authorisation.admit(connection.user, sessionId, REQUEST_ACTIONS['role:set']);
    await authorisation.set(settingOf(request));
    respond(await authorisation.list(sessionId));
  });
}

/** The schema sees to it that a request without a user is one for the link, and that a link makes no owners. */
function settingOf({ sessionId, userId, role }: Requests['role:set']): AccessSetting {
  if (userId !== undefined) return { sessionId, userId, role: role === 'none' ? null : role };
  return { sessionId, link: linkAccess.parse(role) };
}
