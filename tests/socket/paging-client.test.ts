import { FlowClient } from '../../src/client/flow-client';
import { emptyJoin, ScriptedServer } from '../client/support/scripted-server';
import { eventually } from '../support/eventually';

const tagOf = (seq: number): string => String(seq).padStart(16, '0');
const markOf = (seq: number) => ({ seq, tag: tagOf(seq) });
const entry = (clientId: string, seq: number, operation: string) => {
  return { epoch: 1, seq, clientId, clientSeq: 1, userId: 'u', at: 0, operations: [operation] };
};

describe('[DL1] what the last page says of the time in which nobody told us', () => {
  let server: ScriptedServer;
  let client: FlowClient;

  beforeEach(async () => {
    server = await new ScriptedServer().start();
    client = new FlowClient({ url: server.url });
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  test('is taken: what was saved is saved, and the session has its new name', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('operation:submit', () => ({ status: 'ok', epoch: 1, seq: 1 }));
    const session = client.session('s');
    await session.join();
    session.submit(['mine']);
    await eventually('sent', () => server.named('operation:submit').length === 1);
    server.announce('operation:batch', {
      sessionId: 's',
      epoch: 1,
      prevSeq: 0,
      prevTag: '',
      entries: [entry('client-1', 1, 'mine')],
      tag: tagOf(1),
      saved: 0,
    });
    await eventually('ordered', () => session.counts.ordered === 1);

    const renamed: string[] = [];
    session.on('renamed', ({ title }) => renamed.push(title));
    server.on('session:join', () =>
      emptyJoin('s', {
        client: { clientId: 'client-1', signature: 'signed', lastClientSeq: 1 },
        resume: 'continue',
        head: { epoch: 1, ...markOf(3) },
        entries: [entry('other', 2, 'theirs')],
        next: markOf(2),
        more: true,
      }),
    );
    server.on('operation:catch-up', () => ({
      status: 'ok',
      head: { epoch: 1, ...markOf(3) },
      entries: [entry('other', 3, 'theirs')],
      next: markOf(3),
      more: false,
      saved: { epoch: 1, ...markOf(3) },
      session: { sessionId: 's', title: 'New', format: 'json', createdBy: 'u', createdAt: 0, updatedAt: 1 },
      participants: [],
      awareness: {},
    }));
    server.announce('session:forked', { sessionId: 's', epoch: 1, head: markOf(3) });
    await session.whenSaved();
    expect(session.counts).toEqual({ unsent: 0, ordered: 0, saved: 1 });
    expect(session.savedMark).toEqual(markOf(3));
    expect(session.info?.title).toBe('New');
    expect(renamed).toEqual(['New']);
  });
});
