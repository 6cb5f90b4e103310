import type { Authorisation } from '../access/authorisation';
import { REQUEST_ACTIONS } from '../access/permissions';
import { FlowError } from '../protocol/errors';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { OpenSessions } from '../live/open-sessions';
import type { Connection } from './connection';

interface SessionServices {
  readonly collaboration: CollaborationService;
  readonly openSessions: OpenSessions;
  readonly authorisation: Authorisation;
}

/** session:create, session:join, session:leave, session:snapshot. */
export function serveSessions(
  connection: Connection,
  { collaboration, openSessions, authorisation }: SessionServices,
): void {
  const { sessions } = connection;

  connection.serve('session:create', async (request, respond) => {
    const { sessionId, title, format, link = authorisation.defaultLink } = request;
    const session = await collaboration.create({
      format,
      link,
      createdBy: connection.user.userId,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(title === undefined ? {} : { title }),
    });
    respond({ session });
  });

  connection.serve('session:join', (request, respond) =>
    connection.inTurn(async () => {
      const { sessionId } = request;
      sessions.demandRoomFor(sessionId);
      const { verdict } = await authorisation.admit(connection.user, sessionId, REQUEST_ACTIONS['session:join']);
      const session = await openSessions.acquire(sessionId);
      const joiner = {
        connectionId: connection.connectionId,
        user: () => connection.user,
        isAlive: () => connection.isAlive,
      };
      await session.join(joiner, request, verdict, (reply) => {
        sessions.add(sessionId);
        connection.answerLong(() => respond(reply));
      });
    }),
  );

  connection.serve('session:leave', ({ sessionId }, respond) =>
    connection.inTurn(async () => {
      if (!sessions.leave(sessionId, connection.connectionId)) throw new FlowError('NOT_JOINED');
      respond({});
    }),
  );

  connection.serve('session:snapshot', async (request, respond) => {
    await connection.joined(request.sessionId).putSnapshot(connection.connectionId, request);
    respond({});
  });
}
