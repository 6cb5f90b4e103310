import { randomBytes } from 'node:crypto';
import * as Y from 'yjs';
import { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { eventually } from '../support/eventually';
import { emptyJoin, ScriptedServer } from './support/scripted-server';
import { SlowLine } from './support/slow-line';
import { QUICK_BACKOFF, useWorld } from './support/world';

describe('over a slow line', () => {
  const world = useWorld();

  test('a large paste is saved, and goes over the line once', async () => {
    const { sessionId } = await world().createSession('yjs');
    const line = await new SlowLine(world().server.url, 500_000).start();
    // A request is late long before the paste has gone.
    const client = world().client({ url: line.url, requestDeadlineMs: 300 });
    const provider = new FlowYjsProvider(client, sessionId, new Y.Doc());
    try {
      await eventually('synced', () => provider.synced);
      const pasted = randomBytes(600_000).toString('hex');
      provider.doc.getText('content').insert(0, pasted);
      await provider.whenSaved();
      // A fence: this is answered when everything that was sent before it has gone over the line, repetitions too.
      await client.createSession();
      // As base64 it is a third longer.
      expect(line.bytes).toBeGreaterThan(1_600_000);
      expect(line.bytes).toBeLessThan(1_700_000);
    } finally {
      provider.destroy();
      client.close();
      await line.stop();
    }
  });
});

describe('a client of a scripted server', () => {
  let server: ScriptedServer;
  const ends: Array<() => unknown> = [];

  beforeEach(async () => {
    server = await new ScriptedServer().start();
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    await server.stop();
  });

  function clientOf(url: string, requestDeadlineMs: number): FlowClient {
    const client = new FlowClient({ url, backoff: QUICK_BACKOFF, requestDeadlineMs });
    ends.unshift(() => client.close());
    return client;
  }

  test('has at most half a mebibyte on its way, unless one operation is more', async () => {
    server.on('session:join', () => emptyJoin('s'));
    server.on('session:leave', () => ({ status: 'ok' }));
    const client = clientOf(server.url, 20_000);
    const session = client.session('s');
    await session.join();
    for (let index = 0; index < 10; index += 1) {
      session.submit(['x'.repeat(200_000)]);
      await Promise.resolve();
    }
    // Behind this answer everything that was sent has arrived.
    await client.request('session:leave', { sessionId: 's' });
    expect(server.named('operation:submit')).toHaveLength(2);
  });

  test('the deadline of a request begins when it has left', async () => {
    server.on('session:create', () => ({ status: 'ok', session: { sessionId: 's' } }));
    const line = await new SlowLine(server.url, Number.POSITIVE_INFINITY).start();
    ends.push(() => line.stop());
    // Beyond what a busy machine needs to take the request in once it has gone.
    const client = clientOf(line.url, 2_500);
    client.connect();
    await eventually('connected', () => client.status.state === 'connected');
    line.bytesPerSecond = 0;
    // More than the operating system takes off our hands.
    const created = client.createSession({ title: 'x'.repeat(16_000_000) });
    const startedAt = performance.now();
    setTimeout(() => {
      line.bytesPerSecond = Number.POSITIVE_INFINITY;
    }, 4_000);
    expect(await created).toMatchObject({ sessionId: 's' });
    expect(performance.now() - startedAt).toBeGreaterThan(3_990);
  });

  test('a submit without an answer is asked after before it is sent again', async () => {
    server.on('session:join', () => emptyJoin('s'));
    const session = clientOf(server.url, 150).session('s');
    await session.join();
    session.submit(['x']);
    await eventually('sent again', () => server.named('operation:submit').length === 2);
    const names = server.requests.map(({ name }) => name);
    expect(names).toEqual(['session:join', 'operation:submit', 'session:join', 'operation:submit']);
    expect(server.handshakes).toHaveLength(1);
  });
});
