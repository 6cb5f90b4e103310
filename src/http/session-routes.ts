import { isDoneWithin } from '../lib/clock';
import type { OpenSession } from '../live/open-session';
import { FlowError } from '../protocol/errors';
import type { SessionInfo } from '../protocol/schemas';
import { admit, demandRole } from './admission';
import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { serveUser, type Route } from './serve';

const STALLED_RETRY_MS = 1_000;

/** Creating, finding, naming, copying and closing sessions. */
export function sessionRoutes(services: HttpServices): Route[] {
  const { collaboration, openSessions, authorize } = services;

  return [
    serveUser(endpoints.createSession, async ({ body, user, mountPath }) => {
      const session = await collaboration.create({ format: body.format, ...chosen(body), createdBy: user.userId });
      return created(mountPath, session);
    }),

    serveUser(endpoints.listSessions, async ({ query: { limit, after }, user }) => {
      const page = await collaboration.list({
        limit,
        createdBy: user.userId,
        ...(after === undefined ? {} : { after }),
      });
      const roles = await Promise.all(page.sessions.map(async (session) => authorize(user, session)));
      const sessions = page.sessions.filter((_, index) => roles[index]);
      return { kind: 'json', value: { sessions, next: page.next } };
    }),

    serveUser(endpoints.readSession, async ({ params, user }) => ({
      kind: 'json',
      value: await admit(services, user, params.sessionId),
    })),

    serveUser(endpoints.renameSession, async ({ params: { sessionId }, body: { title }, user }) => {
      demandRole((await admit(services, user, sessionId)).role, ['owner', 'editor']);
      const session = await collaboration.rename(sessionId, title);
      openSessions.renamed(session);
      return { kind: 'json', value: { session } };
    }),

    serveUser(endpoints.closeSession, async ({ params: { sessionId }, user }) => {
      demandRole((await admit(services, user, sessionId)).role, ['owner']);
      await collaboration.close(sessionId);
      await openSessions.end(sessionId);
      return { kind: 'empty' };
    }),

    serveUser(endpoints.duplicateSession, async ({ params: { sessionId }, body, user, mountPath }) => {
      await admit(services, user, sessionId);
      await savedUpToNow(services, sessionId);
      return created(mountPath, await collaboration.duplicate(sessionId, { ...chosen(body), createdBy: user.userId }));
    }),
  ];
}

/** Resolves when what is ordered now is in the store, so that a copy made there has it. */
async function savedUpToNow(services: HttpServices, sessionId: string): Promise<void> {
  const { openSessions, clock, saveStallMs } = services;
  const session = openSessions.get(sessionId) ?? (await openedIfBehind(services, sessionId));
  if (!session) return;
  if (await isDoneWithin(clock, session.savedUpToNow(), saveStallMs)) return;
  throw new FlowError('STORE_UNAVAILABLE', undefined, { retryAfterMs: STALLED_RETRY_MS });
}

/** Another instance may have it open, and not have saved everything. */
async function openedIfBehind(
  { openSessions, documents, store }: HttpServices,
  sessionId: string,
): Promise<OpenSession | undefined> {
  const stored = await store.operationLog.head(sessionId);
  if (!stored || (await documents.behind(sessionId, stored)).headSeq === stored.seq) return undefined;
  return openSessions.acquire(sessionId);
}

/** What the caller chose; the rest is the service's to choose. */
const chosen = ({ sessionId, title }: { sessionId?: string | undefined; title?: string | undefined }) => ({
  ...(sessionId === undefined ? {} : { sessionId }),
  ...(title === undefined ? {} : { title }),
});

const created = (mountPath: string, session: SessionInfo) => ({
  kind: 'json' as const,
  headers: { Location: `${mountPath}/api/sessions/${session.sessionId}` },
  value: { session },
});
