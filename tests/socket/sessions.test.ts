import { useServers } from '../support/server';
const start = useServers();
test('smoke', async () => {
  const server = await start();
  const client = await server.connect({ user: 'ada' });
  const { session } = await client.demand('session:create', { title: 'x', format: 'json' });
  const reply = await client.demand('session:join', { sessionId: session.sessionId });
  expect(reply).toEqual({});
});
