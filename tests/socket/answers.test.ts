import type { Announcements } from '../../src/protocol/schemas';
import { createSession } from '../support/documents';
import { Follower } from '../support/follower';
import { useServers } from '../support/server';
import type { WireClient } from '../support/wire-client';

const start = useServers();

type Answer = Announcements['operation:answer'];

/** Sends a batch without wanting an acknowledgement. */
const send = (client: WireClient, batch: object): void => void client.socket.emit('operation:submit', batch);

const answersOf = (client: WireClient): Answer[] => client.all('operation:answer');

async function oneWriter() {
  const server = await start();
  const ada = await server.connect({ user: 'ada' });
  const sessionId = await createSession(ada);
  const { client } = await ada.demand('session:join', { sessionId });
  return { server, ada, sessionId, client };
}

describe('operation:answer, to a submit with ref and without acknowledgement', () => {
  test('an accepted batch is not answered: it comes back in a batch', async () => {
    const { ada, sessionId, client } = await oneWriter();
    send(ada, { sessionId, clientSeq: 1, operations: ['x'], ref: 7 });
    const { entries } = await ada.next('operation:batch');
    expect(entries).toMatchObject([{ clientId: client.clientId, clientSeq: 1, operations: ['x'] }]);
    await ada.fence();
    expect(answersOf(ada)).toEqual([]);
  });

  test('[EO2] a resent batch is answered as a duplicate, with its position', async () => {
    const { ada, sessionId } = await oneWriter();
    const { epoch, seq } = await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
    send(ada, { sessionId, clientSeq: 1, operations: ['x'], ref: 8 });
    expect(await ada.next('operation:answer')).toEqual({
      sessionId,
      ref: 8,
      answer: { status: 'ok', epoch, seq, duplicate: true },
    });
  });

  test('a refusal says what an acknowledgement would have said', async () => {
    const { ada, sessionId } = await oneWriter();
    send(ada, { sessionId, clientSeq: 3, operations: ['x'], ref: 9 });
    expect(await ada.next('operation:answer')).toMatchObject({
      sessionId,
      ref: 9,
      answer: { status: 'error', error: { code: 'CLIENT_SEQ_GAP', action: 'resend', expected: 1 } },
    });
  });

  test('a malformed batch is refused, too, as long as it says where the answer goes', async () => {
    const { ada, sessionId } = await oneWriter();
    send(ada, { sessionId, clientSeq: 'one', operations: ['x'], ref: 1 });
    expect(await ada.next('operation:answer')).toMatchObject({ ref: 1, answer: { error: { code: 'BAD_REQUEST' } } });
    for (const lost of [{ sessionId, ref: -1 }, { sessionId, ref: '1' }, { ref: 2 }, { sessionId }, null]) {
      ada.socket.emit('operation:submit', lost);
    }
    await ada.fence();
    expect(answersOf(ada)).toHaveLength(1);
  });

  test('with an acknowledgement there is no second answer', async () => {
    const { ada, sessionId } = await oneWriter();
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 3, operations: ['x'], ref: 1 })).toMatchObject(
      {
        code: 'CLIENT_SEQ_GAP',
      },
    );
    await ada.fence();
    expect(answersOf(ada)).toEqual([]);
  });

  test('who still pages hears no batches, and is answered', async () => {
    const server = await start({ config: { ringEntries: 1 } });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const author = await Follower.join(ada, sessionId);
    for (let clientSeq = 1; clientSeq <= 8; clientSeq += 1)
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['x'.repeat(250_000)] });
    await author.reachSaved(8);
    const bob = await server.connect({ user: 'bob' });
    expect(await bob.demand('session:join', { sessionId })).toMatchObject({ more: true });
    send(bob, { sessionId, clientSeq: 1, operations: ['y'], ref: 5 });
    expect(await bob.next('operation:answer')).toMatchObject({ ref: 5, answer: { status: 'ok', seq: 9 } });
  });

  test('whom a newer connection replaces has heard of everything that was accepted', async () => {
    const { server, ada, sessionId, client } = await oneWriter();
    const newer = await server.connect({ user: 'ada' });
    const { clientId, signature } = client;
    // The first goes out at once; the others wait for the next frame.
    for (let clientSeq = 1; clientSeq <= 20; clientSeq += 1)
      send(ada, { sessionId, clientSeq, operations: [clientSeq], ref: clientSeq });
    const joined = newer.demand('session:join', { sessionId, client: { clientId, signature } });
    await ada.next('session:closed');
    await joined;
    await ada.fence();
    const delivered = ada.all('operation:batch').flatMap(({ entries }) => entries.map(({ clientSeq }) => clientSeq));
    const answered = answersOf(ada).map(({ ref }) => ref);
    expect([...delivered, ...answered].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });
});
