import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually';
import { socketIoUrl } from '../support/raw-socket';
import { Processes, type ServerProcess } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const HANDSHAKE_MS = 800;
/** The server looks once a second, and the machine is busy. */
const CLOSED_WITHIN_MS = 20_000;

const processes = new Processes();
const opened: Array<{ destroy(): void }> = [];
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy();
  await processes.clean();
});

const start = async (): Promise<ServerProcess> =>
  processes.startServer({
    documents: await processes.directory(),
    env: { HANDSHAKE_TIMEOUT_MS: String(HANDSHAKE_MS) },
  });

/** A TCP connection that says what it is told, and remembers what it hears and whether it was ended. */
class Tcp {
  readonly socket: Socket;
  heard = '';
  isClosed = false;

  constructor({ url }: ServerProcess) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    opened.push(this.socket);
    this.socket.on('data', (bytes: Buffer) => {
      this.heard += bytes.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('end', () => {
      this.isClosed = true;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Once the server has ended it. */
  async isEnded(): Promise<true> {
    await eventually('the server has ended the connection', () => this.isClosed, CLOSED_WITHIN_MS);
    return true;
  }
}

const HOST = 'Host: 127.0.0.1\r\n';
const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
const SOCKET_PATH = '/socket.io/?EIO=4&transport=websocket';

/** Others are served as if nothing were. */
async function expectServing({ url }: ServerProcess): Promise<void> {
  const editor = await WireClient.connect(url, { user: 'ada' });
  const { session } = await editor.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  await editor.demand('session:join', { sessionId });
  expect(await editor.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
    seq: 1,
  });
  editor.close();
  expect((await fetch(`${url}/health`)).status).toBe(200);
}

/** Files and sockets that a process has open. */
const descriptorsOf = async (pid: number): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length;

describe('[DL10] who does not say in time what they want is ended', () => {
  test.each([
    ['a request whose headers never end', `GET /health HTTP/1.1\r\n${HOST}`, 'X'],
    ['an upgrade whose headers never end', upgrade(SOCKET_PATH), 'X'],
    ['a request whose first line never ends', 'GET /', 'a'],
  ])('%s, though a byte comes now and then', async (_what, beginning, byte) => {
    const server = await start();
    const slow = new Tcp(server);
    slow.socket.write(beginning);
    const trickle = setInterval(() => slow.socket.writable && slow.socket.write(byte), 50);
    await expectServing(server);
    expect(await slow.isEnded()).toBe(true);
    clearInterval(trickle);
    expect(slow.heard).toMatch(/^(HTTP\/1\.1 408 .*)?/);
  });

  test('a body that never ends, after a longer while', async () => {
    const server = await start();
    const slow = new Tcp(server);
    slow.socket.write(
      `POST /api/sessions HTTP/1.1\r\n${HOST}Authorization: Bearer mallory\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{`,
    );
    const trickle = setInterval(() => slow.socket.writable && slow.socket.write(' '), 50);
    await expectServing(server);
    expect(await slow.isEnded()).toBe(true);
    clearInterval(trickle);
  });

  test('a connection that says nothing at all', async () => {
    const silent = new Tcp(await start());
    expect(await silent.isEnded()).toBe(true);
  });

  test('a WebSocket that does not say who it is; and one that was refused', async () => {
    const server = await start();
    const silent = new Tcp(server);
    silent.socket.write(`${upgrade(SOCKET_PATH)}\r\n`);
    await eventually('it is a WebSocket', () => silent.heard.startsWith('HTTP/1.1 101'));
    const refused = new WebSocket(socketIoUrl(server.url));
    opened.push({ destroy: () => refused.terminate() });
    await once(refused, 'open');
    refused.send('40{"token":7}');
    const [code] = (await once(refused, 'close', { signal: AbortSignal.timeout(CLOSED_WITHIN_MS) })) as [number];
    expect(code).toBeGreaterThanOrEqual(1_000);
    expect(await silent.isEnded()).toBe(true);
    await expectServing(server);
  });

  test('a WebSocket that has said who it is, and leaves the namespace', async () => {
    const server = await start();
    const left = new WebSocket(socketIoUrl(server.url));
    opened.push({ destroy: () => left.terminate() });
    await once(left, 'open');
    left.send('40{"token":"mallory"}');
    left.on('message', (bytes: Buffer) => {
      if (bytes.toString().startsWith('40')) left.send('41');
    });
    const [code] = (await once(left, 'close', { signal: AbortSignal.timeout(CLOSED_WITHIN_MS) })) as [number];
    expect(code).toBeGreaterThanOrEqual(1_000);
  });

  test.each([
    ['in the middle of the head', upgrade(SOCKET_PATH)],
    ['behind the head', `${upgrade(SOCKET_PATH)}\r\n`],
    ['on a path where nothing is', `${upgrade('/nothing')}\r\n`],
    ['without a key', `GET ${SOCKET_PATH} HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ['to what nobody speaks', `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`],
  ])('an upgrade that the client closes for writing %s', async (_where, bytes) => {
    const server = await start();
    const half = new Tcp(server);
    half.socket.end(bytes);
    expect(await half.isEnded()).toBe(true);
    await expectServing(server);
  });
});

test('[DL10] headers of more than 16 KiB are answered with 431', async () => {
  const server = await start();
  const large = new Tcp(server);
  large.socket.write(`GET /health HTTP/1.1\r\n${HOST}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  expect(await large.isEnded()).toBe(true);
  expect(large.heard).toMatch(/^HTTP\/1\.1 431 /);
  const upgrading = new Tcp(server);
  upgrading.socket.write(`${upgrade(SOCKET_PATH)}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  expect(await upgrading.isEnded()).toBe(true);
  expect(upgrading.heard).not.toMatch(/ 101 /);
  await expectServing(server);
});

test('[DL10] who asks for much and never reads is ended', async () => {
  const server = await start();
  const editor = await WireClient.connect(server.url, { user: 'ada' });
  await editor.demand('session:create', { sessionId: 'long', format: 'json' });
  await editor.demand('session:join', { sessionId: 'long' });
  for (let clientSeq = 1; clientSeq <= 16; clientSeq += 1)
    await editor.demand('operation:submit', { sessionId: 'long', clientSeq, operations: ['x'.repeat(1_000_000)] });
  const whileWriting = await descriptorsOf(server.pid);
  editor.close();
  await eventually('the editor is gone', async () => (await descriptorsOf(server.pid)) < whileWriting);
  const before = await descriptorsOf(server.pid);
  const deaf = new Tcp(server);
  deaf.socket.pause();
  deaf.socket.write(`GET /api/sessions/long/document HTTP/1.1\r\n${HOST}Authorization: Bearer ada\r\n\r\n`);
  // A paused reader does not hear that the other side is gone, so the server's side is looked at.
  await eventually('it is answered', async () => (await descriptorsOf(server.pid)) > before, CLOSED_WITHIN_MS);
  // Node counts a standstill anew with every byte that the system still takes.
  await eventually('it is ended', async () => (await descriptorsOf(server.pid)) <= before, 3 * CLOSED_WITHIN_MS);
  expect(deaf.heard).toBe('');
  await expectServing(server);
}, 120_000);

test('[DL10] 2,000 connections that never say who they are: others are served meanwhile, and then all are gone', async () => {
  const server = await start();
  await expectServing(server);
  const before = await descriptorsOf(server.pid);
  const silent = Array.from({ length: 1_000 }, () => new Tcp(server));
  const webSockets = Array.from({ length: 1_000 }, () => {
    const webSocket = new Tcp(server);
    webSocket.socket.write(`${upgrade(SOCKET_PATH)}\r\n`);
    return webSocket;
  });
  const startedAt = performance.now();
  await expectServing(server);
  // Generous: it is to be served, not to be kept waiting until all those are gone.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await eventually(
    'all are ended',
    () => [...silent, ...webSockets].every(({ isClosed }) => isClosed),
    2 * CLOSED_WITHIN_MS,
  );
  for (const { socket } of [...silent, ...webSockets]) socket.destroy();
  await eventually(
    'nothing is left of them',
    async () => (await descriptorsOf(server.pid)) < before + 50,
    CLOSED_WITHIN_MS,
  );
  await expectServing(server);
  expect((await server.end('SIGTERM')).code).toBe(0);
}, 120_000);
