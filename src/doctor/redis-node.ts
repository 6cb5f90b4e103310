import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import type { HostPort, RedisSettings } from '../../config/redis-settings';
import { rootMessageOf } from '../lib/system-faults';
import { tlsOf } from '../redis/redis-clients';
import { explain } from '../redis/redis-faults';
import { placeOf } from '../redis/redis-place';

/** Longest to wait for a connection or an answer: a person is waiting. */
const PATIENCE_MS = 3_000;
/** Of what speaks another language nothing is heard. */
const LISTENING_MS = 1_000;

export type Probe =
  | { readonly kind: 'connected'; readonly client: Redis; readonly remarks: readonly string[] }
  | { readonly kind: 'refused'; readonly message: string };

/**
 * One connection to one server, made step by step, so that each step that fails can be told from the others. The caller disconnects it.
 */
export async function probeNode(settings: RedisSettings, { host, port }: HostPort): Promise<Probe> {
  const where = `${host}:${port}`;
  const tls = tlsOf(settings);
  const client = new Redis({
    host,
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    // The library answers some refusals with a line on the console; asking by hand tells them all.
    protocol: 2,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: Math.min(settings.connectTimeoutMs, PATIENCE_MS),
    commandTimeout: PATIENCE_MS,
    ...(tls ? { tls } : {}),
  });
  let fault: unknown;
  client.on('error', (cause: unknown) => {
    fault = cause;
  });
  const remarks: string[] = [];
  try {
    await client.connect();
    const { username, password, db, protocol } = settings;
    if (password !== undefined)
      await (username === undefined ? client.call('AUTH', password) : client.call('AUTH', username, password));
    if (protocol === 3) remarks.push(...(await withoutResp3(client)));
    if (db !== 0) await client.call('SELECT', String(db));
    await client.call('PING');
    return { kind: 'connected', client, remarks };
  } catch (cause) {
    client.disconnect();
    return { kind: 'refused', message: await whyRefused(settings, { host, port }, fault ?? cause, where) };
  }
}

/** HELLO is asked for on the same connection and taken back: what follows speaks the older protocol, which every server does. */
async function withoutResp3(client: Redis): Promise<string[]> {
  try {
    await client.call('HELLO', '2');
    return [];
  } catch (fault) {
    const said = rootMessageOf(fault);
    if (!/NOPROTO|unknown command/i.test(said)) throw fault;
    return [`it does not speak RESP3: set REDIS_PROTOCOL=2 (${said})`];
  }
}

async function whyRefused(settings: RedisSettings, address: HostPort, cause: unknown, where: string): Promise<string> {
  const { isTls } = settings;
  const { kind, message } = explain(cause, { ...placeOf(settings), address: where });
  if (kind !== '' && !TLS_FAULTS.has(kind)) return message;
  const spoken = await languageOf(address);
  if (isTls && spoken === 'plain')
    return `Redis at ${where} speaks without TLS: set REDIS_TLS=false, and redis:// in REDIS_URL.`;
  if (!isTls && spoken === 'tls')
    return `Redis at ${where} speaks TLS only: set REDIS_TLS=true, or rediss:// in REDIS_URL.`;
  if (kind !== '') return message;
  return `${message} Something listens at ${where}, and does not answer as Redis does: check REDIS_HOST and REDIS_PORT.`;
}

/** Codes under which a system reports that the other side speaks another language. */
const TLS_FAULTS: ReadonlySet<string> = new Set(['ECONNRESET', 'EPROTO', 'EPIPE', 'ETIMEDOUT']);

/** What is spoken at an address: found out by speaking it. */
async function languageOf(address: HostPort): Promise<'plain' | 'tls' | 'unknown'> {
  if (await saysSomethingOfRedis(address)) return 'plain';
  return (await shakesHands(address)) ? 'tls' : 'unknown';
}

function saysSomethingOfRedis({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectPlain({ host, port, timeout: LISTENING_MS }, () => socket.write('PING\r\n'));
    const end = (isPlain: boolean): void => {
      socket.destroy();
      resolve(isPlain);
    };
    socket.once('data', (bytes) => end(/^[+-]/.test(bytes.toString('latin1'))));
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(false));
  });
}

function shakesHands({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is said or believed over this connection: it only finds out whether there is TLS.
    const socket = connectTls({ host, port, timeout: LISTENING_MS, rejectUnauthorized: false }, () => end(true));
    const end = (isTls: boolean): void => {
      socket.destroy();
      resolve(isTls);
    };
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(false));
  });
}
