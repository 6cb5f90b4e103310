import { FlowError } from '../protocol/errors';
import type { Connection } from './connection';

/** How long a client waits that has too many batches in flight: about one round trip and a flush. */
const IN_FLIGHT_RETRY_MS = 50;

/** operation:submit, operation:catch-up. */
export function serveOperations(connection: Connection, limits: { maxInFlightBatches: number }): void {
  let inFlight = 0;

  // No await before the session has the batch: batches of one connection reach the order as they came.
  connection.serve('operation:submit', async (request, respond) => {
    const session = connection.joined(request.sessionId);
    if (inFlight >= limits.maxInFlightBatches) {
      throw new FlowError('BUSY', `At most ${limits.maxInFlightBatches} batches may be in flight.`, {
        retryAfterMs: IN_FLIGHT_RETRY_MS,
      });
    }
    inFlight += 1;
    try {
      respond(await session.submit(connection.connectionId, request));
    } finally {
      inFlight -= 1;
    }
  });

  connection.serve('operation:catch-up', (request, respond) =>
    connection.inTurn(() => connection.joined(request.sessionId).catchUp(connection.connectionId, request, respond)),
  );
}
