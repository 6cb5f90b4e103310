import type { Authorize } from '../access/access';
import { FlowError } from '../protocol/errors';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { OpenSessions } from '../live/open-sessions';
import type { Connection } from './connection';

interface SessionServices {
  readonly collaboration: CollaborationService;
  readonly openSessions: OpenSessions;
  readonly authorize: Authorize;
}

/** session:create, session:join, session:leave, session:snapshot. */
export function serveSessions(
  connection: Connection,
  { collaboration, openSessions, authorize }: SessionServices,
): void {
  const { sessions } = connection;

  connection.serve('session:create', async (request, respond) => {
    const { sessionId, title, format } = request;
    const session = await collaboration.create({
      format,
      createdBy: connection.user.userId,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(title === undefined ? {} : { title }),
    });
    respond({ session });
  });

  connection.serve('session:join', (request, respond) =>
    connection.inTurn(async () => {
      const { sessionId } = request;
      const { user } = connection;
      sessions.demandRoomFor(sessionId);
      const info = await collaboration.get(sessionId);
      const role = info && (await authorize(user, info));
      if (!role) throw new FlowError('SESSION_NOT_FOUND');
      const session = await openSessions.acquire(sessionId);
      const joiner = { connectionId: connection.connectionId, userId: user.userId, isAlive: () => connection.isAlive };
      await session.join(joiner, request, role, (reply) => {
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
