import { BatchesUnderWay } from '../live/batches-under-way';
import { toWireEntry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { serveSession } from './admission';
import { endpoints } from './endpoints';
import { readHistory } from './history';
import type { HttpServices } from './http-services';
import type { Route } from './serve';

/** Writing to a session from a server, and reading what was written. */
export function operationRoutes(services: HttpServices): Route[] {
  const { openSessions, authorisation } = services;
  const underWay = new BatchesUnderWay(services.maxInFlightBatches);

  return [
    serveSession(authorisation, endpoints.appendOperations, async ({ params: { sessionId }, body, user, verdict }) => {
      const { client: credentials, clientSeq, operations, base } = body;
      if (!credentials && clientSeq !== 1) {
        throw new FlowError(
          'BAD_REQUEST',
          'clientSeq: without a client one is issued, and its first operation is number 1.',
        );
      }
      // Not per client: who shows none is a new one each time.
      return underWay.run(`${sessionId} ${user.userId}`, async () => {
        const session = await openSessions.acquire(sessionId);
        const { clientId, signature } = await session.admitClient(user.userId, credentials);
        const batch = { sessionId, clientSeq, operations, ...(base ? { base } : {}) };
        const placed = await session.submitAs({ clientId, user, verdict }, batch);
        return { kind: 'json', value: { ...placed, client: { clientId, signature } } };
      });
    }),

    serveSession(authorisation, endpoints.readHistory, async ({ params: { sessionId }, query: { after, limit } }) => {
      const { entries, ...where } = await readHistory(services, sessionId, after, limit);
      return { kind: 'json', value: { entries: entries.map(toWireEntry), ...where } };
    }),
  ];
}
