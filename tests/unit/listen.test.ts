import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { type Listening, listen } from '../../src/lib/listen';

const started: Array<{ http: Server; listening: Listening }> = [];

async function start(host: string, port = 0): Promise<Listening> {
  const http = createServer((_request, response) => response.setHeader('connection', 'close').end('here'));
  const listening = await listen(http, host, port);
  started.push({ http, listening });
  return listening;
}

const textOf = async (url: string) => (await fetch(url)).text();

afterEach(() => {
  for (const { http, listening } of started.splice(0)) {
    listening.stop();
    http.closeAllConnections();
  }
});

test('localhost answers over IPv4 and IPv6 on one port', async () => {
  const { port, addresses } = await start('localhost');
  expect(addresses[0]).toBe('127.0.0.1');
  for (const address of addresses) {
    const host = address.includes(':') ? `[${address}]` : address;
    expect(await textOf(`http://${host}:${port}/`)).toBe('here');
  }
  expect(await textOf(`http://localhost:${port}/`)).toBe('here');
});

test('an address listens on that one only', async () => {
  const { port, addresses } = await start('127.0.0.1');
  expect(addresses).toEqual(['127.0.0.1']);
  await expect(fetch(`http://[::1]:${port}/`)).rejects.toThrow();
});

test('a port that is taken is refused, and nothing is left listening', async () => {
  const { port } = await start('localhost');
  const http = createServer();
  await expect(listen(http, 'localhost', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(http.listening).toBe(false);
});

test('a port that only IPv6 has taken is refused too: localhost would mean two servers', async () => {
  const other = createTcpServer().listen(0, '::1');
  const isBound = await once(other, 'listening').then(
    () => true,
    () => false,
  );
  // A machine without IPv6 has no such trap.
  if (!isBound) return;
  const address = other.address();
  if (address === null || typeof address === 'string') throw new Error('not bound');
  const http = createServer();
  await expect(listen(http, 'localhost', address.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(http.listening).toBe(false);
  other.close();
});

test('after stop nothing answers on any address, and stopping twice is stopping once', async () => {
  const { port, addresses, stop } = await start('localhost');
  stop();
  stop();
  for (const address of addresses) {
    await expect(fetch(`http://${address.includes(':') ? `[${address}]` : address}:${port}/`)).rejects.toThrow();
  }
});
