import { isDoneWithin } from '../lib/clock';
import type { OpenSession } from '../live/open-session';
import { FlowError } from '../protocol/errors';
import type { LinkAccess, SessionInfo } from '../protocol/schemas';
import { serveSession } from './admission';
import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { serveUser, type Route } from './serve';

const STALLED_RETRY_MS = 1_000;

/** Creating, finding, naming, copying and closing sessions. */
export function sessionRoutes(services: HttpServices): Route[] {
  const { collaboration, openSessions, authorisation } = services;

  return [
    serveUser(endpoints.createSession, async ({ body, user, mountPath }) => {
      const draft = { format: body.format, ...chosen(body, authorisation.defaultLink), createdBy: user.userId };
      return created(mountPath, await collaboration.create(draft));
    }),

    serveUser(endpoints.listSessions, async ({ query: { limit, after }, user }) => {
      const page = await collaboration.list({
        limit,
        userId: user.userId,
        ...(after === undefined ? {} : { after }),
      });
      const verdicts = await Promise.all(page.sessions.map((session) => authorisation.judge(user, session)));
      const sessions = page.sessions.filter((_, index) => verdicts[index]?.role);
      return { kind: 'json', value: { sessions, next: page.next } };
    }),

    serveSession(authorisation, endpoints.readSession, async ({ session, role }) => ({
      kind: 'json',
      value: { session, role },
    })),

    serveSession(authorisation, endpoints.renameSession, async ({ params: { sessionId }, body: { title } }) => {
      const session = await collaboration.rename(sessionId, title);
      openSessions.renamed(session);
      return { kind: 'json', value: { session } };
    }),

    serveSession(authorisation, endpoints.closeSession, async ({ params: { sessionId } }) => {
      await collaboration.close(sessionId);
      await openSessions.end(sessionId);
      return { kind: 'empty' };
    }),

    serveSession(
      authorisation,
      endpoints.duplicateSession,
      async ({ params: { sessionId }, body, user, mountPath }) => {
        await savedUpToNow(services, sessionId);
        const draft = { ...chosen(body, authorisation.defaultLink), createdBy: user.userId };
        return created(mountPath, await collaboration.duplicate(sessionId, draft));
      },
    ),
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

interface Choice {
  readonly sessionId?: string | undefined;
  readonly title?: string | undefined;
  readonly link?: LinkAccess | undefined;
}

/** What the caller chose; the rest is the service's to choose. */
const chosen = ({ sessionId, title, link }: Choice, defaultLink: LinkAccess) => ({
  link: link ?? defaultLink,
  ...(sessionId === undefined ? {} : { sessionId }),
  ...(title === undefined ? {} : { title }),
});

const created = (mountPath: string, session: SessionInfo) => ({
  kind: 'json' as const,
  headers: { Location: `${mountPath}/api/sessions/${session.sessionId}` },
  value: { session },
});
