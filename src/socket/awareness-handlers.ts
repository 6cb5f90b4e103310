import type { Connection } from './connection';

/** awareness:update. */
export function serveAwareness(connection: Connection): void {
  connection.serve('awareness:update', (request, respond) => {
    connection.joined(request.sessionId).updateAwareness(connection.connectionId, request);
    respond({});
  });
}
