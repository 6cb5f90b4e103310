import { serveSession } from './admission';
import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import type { Route } from './serve';

/** Who may do what in a session. */
export function roleRoutes({ authorisation }: HttpServices): Route[] {
  return [
    serveSession(authorisation, endpoints.listRoles, async ({ params: { sessionId } }) => ({
      kind: 'json',
      value: await authorisation.list(sessionId),
    })),

    serveSession(authorisation, endpoints.setRole, async ({ params: { sessionId, userId }, body: { role } }) => {
      await authorisation.set({ sessionId, userId, role });
      return { kind: 'json', value: await authorisation.list(sessionId) };
    }),

    serveSession(authorisation, endpoints.removeRole, async ({ params: { sessionId, userId } }) => {
      await authorisation.set({ sessionId, userId, role: null });
      return { kind: 'empty' };
    }),

    serveSession(authorisation, endpoints.setLink, async ({ params: { sessionId }, body: { role } }) => {
      await authorisation.set({ sessionId, link: role });
      return { kind: 'json', value: await authorisation.list(sessionId) };
    }),
  ];
}
