import { z } from 'zod';
import type { WebSocketManager } from '../connections/websocket-manager';
import { BatchesUnderWay } from '../live/batches-under-way';
import { announcements, type Acknowledgement } from '../protocol/schemas';
import type { Connection, Handler } from './connection';

/** Where the answer to a submit goes, also of one that is otherwise malformed. */
const addressOf = z.compile(announcements['operation:answer'].pick({ sessionId: true, ref: true }).strip());

/** operation:submit, operation:catch-up. */
export function serveOperations(
  connection: Connection,
  limits: { maxInFlightBatches: number },
  sockets: Pick<WebSocketManager, 'membersHere' | 'toConnectionHere'>,
): void {
  const underWay = new BatchesUnderWay(limits.maxInFlightBatches);

  /** Who is in the room hears of an accepted batch by the batch itself; everything else is told. */
  function tell(body: unknown, answer: Acknowledgement<'operation:submit'>): void {
    const sent = addressOf.safeParse(body);
    if (!sent.success) return;
    const { sessionId, ref } = sent.data;
    const isConfirmed = answer.status === 'ok' && !answer.duplicate;
    if (isConfirmed && sockets.membersHere(sessionId).has(connection.connectionId)) return;
    sockets.toConnectionHere(connection.connectionId, 'operation:answer', { sessionId, ref, answer });
  }

  // No await before the session has the batch: batches of one connection reach the order as they came.
  const submit: Handler<'operation:submit'> = async (request, respond) => {
    const session = connection.joined(request.sessionId);
    const { connectionId } = connection;
    respond(await underWay.run(connectionId, () => session.submit(connectionId, request)));
  };
  connection.serve('operation:submit', submit, tell);

  connection.serve('operation:catch-up', (request, respond) =>
    connection.inTurn(() =>
      connection
        .joined(request.sessionId)
        .catchUp(connection.connectionId, request, (reply) => connection.answerLong(() => respond(reply))),
    ),
  );
}
