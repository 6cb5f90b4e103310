import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import request from 'supertest';
import { FlowClient } from '../../src/client/flow-client';
import { createFlow, type Flow, type FlowHooks, type FlowOptions } from '../../src/flow';
import type { Role } from '../../src/protocol/schemas';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';

/** An application of somebody else's, with a flow inside. */
interface Application {
  readonly httpServer: Server;
  readonly flow: Flow;
  readonly url: string;
}

const running: Application[] = [];
const clients: FlowClient[] = [];

async function startApplication(options: Omit<FlowOptions, 'httpServer'> = {}): Promise<Application> {
  const app = express();
  app.get('/', (_request, response) => {
    response.send('the application');
  });
  const httpServer = createServer(app);
  const flow = createFlow({
    httpServer,
    store: new MemoryDocumentStore(),
    config: { flowSecret: 'sixteen characters' },
    ...options,
  });
  app.use('/collab', flow.router);
  app.use((_request, response) => {
    response.status(404).send("the application's own 404");
  });
  await flow.start();
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const { port } = httpServer.address() as AddressInfo;
  const application = { httpServer, flow, url: `http://127.0.0.1:${port}` };
  running.push(application);
  return application;
}

function connect(url: string, token: string, path?: string): FlowClient {
  const client = new FlowClient({ url, token, ...(path === undefined ? {} : { path }) });
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const { flow, httpServer } of running.splice(0)) {
    await flow.stop();
    httpServer.closeAllConnections();
    httpServer.close();
  }
});

describe('a flow inside an Express application', () => {
  test('leaves the application its own routes and answers under the path it was given', async () => {
    const { httpServer } = await startApplication();
    expect((await request(httpServer).get('/')).text).toBe('the application');
    expect((await request(httpServer).get('/collab/health')).body).toMatchObject({ status: 'ok' });
    expect((await request(httpServer).get('/nothing')).text).toBe("the application's own 404");
  });

  test('asks the hooks who somebody is and what they may do', async () => {
    const hooks: FlowHooks = {
      authenticate: ({ token }) => (token?.startsWith('secret-') ? { userId: token.slice('secret-'.length) } : null),
      authorize: ({ userId }, session) =>
        session.createdBy === userId ? 'owner' : userId === 'guest' ? 'viewer' : null,
    };
    const { url } = await startApplication({ hooks });
    const { sessionId } = await connect(url, 'secret-ada').createSession({ format: 'json' });

    const stranger = connect(url, 'ada');
    await expect(stranger.createSession({ format: 'json' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(connect(url, 'secret-eve').session(sessionId).join()).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });

    const guest = connect(url, 'secret-guest').session(sessionId);
    await guest.join();
    expect(guest.role).toBe('viewer');
  });

  test('is told when a rule of its own gives another answer, and so are those who are connected', async () => {
    const roles = new Map<string, Role>([['eddy', 'editor']]);
    const hooks: FlowHooks = { authorize: ({ userId }, _session, given) => roles.get(userId) ?? given };
    const { url, flow } = await startApplication({ hooks });
    const { sessionId } = await connect(url, 'ada').createSession({ format: 'json', link: 'none' });
    const eddy = connect(url, 'eddy').session(sessionId);
    await eddy.join();
    const heard: Role[] = [];
    eddy.on('role', (role) => heard.push(role));
    roles.set('eddy', 'viewer');
    await flow.accessChanged(sessionId, 'eddy');
    await eventually('the new role', () => heard.length === 1);
    expect([heard, eddy.status]).toEqual([['viewer'], { state: 'read-only' }]);
    roles.delete('eddy');
    await flow.accessChanged(sessionId, null);
    await eventually('the end', () => eddy.status.state === 'refused');
    expect(eddy.status).toMatchObject({ reason: { code: 'FORBIDDEN' }, isReading: false });
  });

  test('tells the hooks what was opened and what is saved, and survives a hook that fails', async () => {
    const opened: string[] = [];
    const saved: number[] = [];
    const { url } = await startApplication({
      hooks: {
        onSessionOpened: ({ sessionId }) => void opened.push(sessionId),
        onSaved: ({ seq }) => {
          saved.push(seq);
          throw new Error('the application is at fault');
        },
      },
    });
    const client = connect(url, 'ada');
    const { sessionId } = await client.createSession({ format: 'json' });
    const session = client.session(sessionId);
    await session.join();
    await session.submit([1]).whenSaved();
    await session.submit([2, 3]).whenSaved();
    expect(opened).toEqual([sessionId]);
    expect(saved).toEqual([1, 3]);
  });

  test('starts and stops a store of the application', async () => {
    const calls: string[] = [];
    class CountedStore extends MemoryDocumentStore {
      override async start(): Promise<void> {
        calls.push('start');
        await super.start();
      }
      override async stop(): Promise<void> {
        calls.push('stop');
        await super.stop();
      }
    }
    const { flow } = await startApplication({ store: new CountedStore() });
    expect(calls).toEqual(['start']);
    await flow.stop();
    await flow.stop();
    expect(calls).toEqual(['start', 'stop']);
  });

  test('lives on a Socket.IO path of its own and leaves the HTTP server to its owner', async () => {
    const { url, flow, httpServer } = await startApplication({ socketPath: '/collab/socket' });
    const client = connect(url, 'ada', '/collab/socket');
    await client.createSession({ format: 'yjs' });
    await flow.stop();
    expect(httpServer.listening).toBe(true);
    expect((await request(httpServer).get('/')).text).toBe('the application');
    expect((await request(httpServer).get('/collab/health/ready')).status).toBe(503);
  });

  test('does not begin with settings at fault, and names all of them', () => {
    const create = (config: object, hooks: FlowHooks = {}) => createFlow({ httpServer: createServer(), config, hooks });
    expect(() => create({ saveIntervalMs: 'soon', documentdir: 'x', documentStore: 'postgres' })).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        message: expect.stringMatching(/documentStore: .*\n.*saveIntervalMs: .*\n.*documentdir: /),
      }),
    );
    expect(() => create({ nodeEnv: 'production' })).toThrow(/authMode: open lets everyone in/);
    // Who says itself who somebody is lets in whom it wants.
    create({ nodeEnv: 'production' }, { authenticate: () => null });
  });
});
