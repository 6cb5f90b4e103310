import { createSession } from '../support/documents';
import { Follower } from '../support/follower';
import { RawSocket } from '../support/raw-socket';
import { useServers } from '../support/server';

const startServer = useServers();

describe('[DL6] a joiner on a slow line', () => {
  // Beyond what the kernels of both sides take, so that some of it waits in the server.
  const SNAPSHOT_BYTES = 16_000_000;
  const limits = { maxOperationBytes: 20_000_000, maxBatchBytes: 20_000_000, maxUnsavedBytes: 64_000_000 };

  test('is not cut off for the length of its snapshot while others type', async () => {
    const server = await startServer({
      config: { ...limits, slowConsumerBytes: 1_000_000, ringBytes: 200_000 },
      isLimited: false,
    });
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    const writer = await Follower.join(ada, sessionId);
    await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['first'] });
    await writer.reachSaved(1);
    await ada.demand('session:snapshot', { sessionId, ...writer.head, payload: 'x'.repeat(SNAPSHOT_BYTES) });

    const { socket: slow } = await RawSocket.connect(server.url, { token: 'slow' });
    slow.send(`420${JSON.stringify(['session:join', { sessionId }])}`);
    slow.pause();
    await ada.next('session:participants', ({ joined }) => joined.some(({ userId }) => userId === 'slow'));
    for (let clientSeq = 2; clientSeq <= 9; clientSeq += 1) {
      await ada.demand('operation:submit', { sessionId, clientSeq, operations: ['y'.repeat(100_000)] });
    }
    expect((await server.stats()).connections).toMatchObject({ local: 2, slowConsumersCut: 0 });
    slow.resume();
    const reply = await slow.hears((text) => text.startsWith('430'));
    expect(reply.length).toBeGreaterThan(SNAPSHOT_BYTES);
    await slow.hears((text) => text.includes('"operation:batch"') && text.includes('"clientSeq":9'));
    slow.close();
  });
});
