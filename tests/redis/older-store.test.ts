import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import * as Y from 'yjs';
import { appendReply, health, historyReply } from '../../src/http/schemas';
import { readHotLogFile } from '../../src/ordering/hot-log-file';
import { RedisKeys } from '../../src/redis/keys';
import { examine, type Examination } from '../support/doctor';
import { eventually } from '../support/eventually';
import { RedisServer } from '../support/redis-server';
import { ask, post, Processes, type ServerProcess, type Variables } from '../support/server-process';

const processes = new Processes();
let redis: RedisServer;
let documents: string;
beforeEach(async () => {
  redis = await RedisServer.start();
  documents = await processes.directory();
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const DEADLINE_MS = 120_000;
const FILE = 'documents.mdb';
/** Longer than any test: what is ordered stays where it is. */
const NEVER_SAVED: Variables = { SAVE_INTERVAL_MS: '3600000' };

const settings = (): Variables => ({
  USE_REDIS_EVENT_ORDERING: 'true',
  REDIS_URL: redis.url,
  DOCUMENT_DIR: documents,
  FLOW_SECRET: 'the same for every start',
});

const start = (env: Variables = {}): Promise<ServerProcess> =>
  processes.startServer({ documents, env: { ...settings(), ...env } });

const doctor = (...args: string[]): Promise<Examination> => examine(processes, settings(), { args });

const headers = { authorization: 'Bearer Ada', 'content-type': 'application/json' };

async function create({ url }: ServerProcess, sessionId: string, format: 'yjs' | 'json'): Promise<void> {
  const body = JSON.stringify({ sessionId, format });
  expect((await fetch(`${url}/api/sessions`, { method: 'POST', headers, body })).status).toBe(201);
}

/** One operation, by a client of its own. */
async function write({ url }: ServerProcess, sessionId: string, operation: unknown): Promise<void> {
  const body = JSON.stringify({ clientSeq: 1, operations: [operation] });
  const response = await fetch(`${url}/api/sessions/${sessionId}/operations`, { method: 'POST', headers, body });
  appendReply.parse(await response.json());
}

async function history({ url }: ServerProcess, sessionId: string): Promise<unknown[]> {
  const { body } = await ask(`${url}/api/sessions/${sessionId}/operations`, historyReply, 'Ada');
  return body.entries.flatMap(({ operations }) => operations);
}

/** How writing to a session is refused. */
const refusal = ({ url }: ServerProcess, sessionId: string) =>
  post(`${url}/api/sessions/${sessionId}/operations`, { clientSeq: 1, operations: ['x'] });

/** Also Redis has heard of it. */
async function saved(sessionId: string, seq: number): Promise<void> {
  const client = new Redis(redis.port, '127.0.0.1');
  try {
    await eventually(
      `${sessionId} is saved up to ${seq}`,
      async () => (await client.hget(new RedisKeys('flow:').orderingMeta(sessionId), 'savedSeq')) === String(seq),
    );
  } finally {
    client.disconnect();
  }
}

const backup = (to: string): Promise<void> => copyFile(join(documents, FILE), join(documents, to));

async function restore(from: string): Promise<void> {
  await copyFile(join(documents, from), join(documents, FILE));
}

/** An update of Yjs that stands for itself. */
function typed(word: string): string {
  const doc = new Y.Doc();
  doc.getText('content').insert(0, word);
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64');
}

/**
 * A session with `words` of which the first two are in the backup `old`, the next two were saved after it (they are in `new`), and the last two
 * are in Redis only. The server has died, and the old backup was put back.
 */
async function olderStore(sessionId: string, format: 'yjs' | 'json', words: readonly unknown[]): Promise<void> {
  const first = await start();
  await create(first, sessionId, format);
  for (const word of words.slice(0, 2)) await write(first, sessionId, word);
  await saved(sessionId, 2);
  await first.end('SIGKILL');
  await backup('old');
  const second = await start();
  for (const word of words.slice(2, 4)) await write(second, sessionId, word);
  await saved(sessionId, 4);
  await second.end('SIGKILL');
  await backup('new');
  const third = await start(NEVER_SAVED);
  for (const word of words.slice(4)) await write(third, sessionId, word);
  await third.end('SIGKILL');
  await restore('old');
}

const exported = async (): Promise<string> => {
  const [name = '', ...more] = await readdir(join(documents, 'exports'));
  expect(more).toEqual([]);
  return join(documents, 'exports', name);
};

const WORDS = ['a', 'b', 'c', 'd', 'e', 'f'];

test(
  '[ST4] an older store under a newer hot log is refused, what only Redis has is in a file, and with the right store all of it is there',
  async () => {
    await olderStore('novel', 'json', WORDS);
    const server = await start();
    await create(server, 'other', 'json');
    expect(await refusal(server, 'novel')).toMatchObject({
      status: 503,
      error: { code: 'STORE_UNAVAILABLE', action: 'wait', message: expect.stringMatching(/ends at 2, and 4/) },
    });
    const told = await server.line(/The document store is older than Redis: .*npm run doctor/);
    const file = await exported();
    expect(told.input).toContain(`"file":"${file}"`);
    expect((await readHotLogFile(file)).entries.map(({ operations }) => operations)).toEqual(['["e"]', '["f"]']);
    // Others go on.
    await write(server, 'other', 'fine');
    expect((await ask(`${server.url}/health`, health)).body).toMatchObject({
      status: 'degraded',
      store: { status: 'older', olderThanHotLog: 1 },
    });

    const { code, of } = await doctor();
    expect(code).toBe(1);
    expect(of('FAIL').join('\n')).toMatch(/novel: stored up to 2, saved up to 4, ordered up to 6/);
    expect(of('FAIL').join('\n')).toMatch(/Put the right store back; or.*--accept-store <session>/);
    expect(of('warn').join('\n')).toContain(file);

    await server.end('SIGKILL');
    await restore('new');
    const after = await start();
    await saved('novel', 6);
    expect(await history(after, 'novel')).toEqual(WORDS);
  },
  DEADLINE_MS,
);

test(
  '[ST4] an operator accepts the older store, and puts back what only the file has, also while a server runs',
  async () => {
    await olderStore('poem', 'yjs', WORDS.map(typed));
    const server = await start();
    expect((await refusal(server, 'poem')).status).toBe(503);
    const file = await exported();
    expect(await doctor('--replay-export', file)).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/store is older than poem: put the right one back, or --accept-store poem first/)],
    });

    expect(await doctor('--accept-store', 'poem')).toMatchObject({
      code: 0,
      lines: [`poem: goes on from 2; what Redis had from 4 to 6 is in ${file}`],
    });
    expect(await history(server, 'poem')).toHaveLength(2);
    expect((await doctor()).of('FAIL')).toEqual([]);
    expect((await doctor('--accept-store', 'poem')).lines.join()).toMatch(/nothing to accept/);

    expect(await doctor('--replay-export', file)).toMatchObject({
      code: 0,
      lines: ['poem: 2 operations put back; it ends at 4 now'],
    });
    await eventually('the server has them', async () => (await history(server, 'poem')).length === 4);
    const text = await fetch(`${server.url}/api/sessions/poem/document?as=text`, { headers });
    expect((await text.text()).split('').sort().join('')).toBe('abef');
    await write(server, 'poem', typed('g'));
    await saved('poem', 5);
    expect((await ask(`${server.url}/health`, health)).body.store).toMatchObject({ status: 'ok', olderThanHotLog: 0 });
  },
  DEADLINE_MS,
);

test(
  'a file whose entries continue the store is put back in their places, once; operations out of their order are not',
  async () => {
    await olderStore('novel', 'json', WORDS);
    expect((await doctor('--accept-all')).lines).toEqual([expect.stringMatching(/^novel: goes on from 2;/)]);
    const file = await exported();
    expect(await doctor('--replay-export', file)).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/only Yjs sessions take operations out of their order/)],
    });

    await restore('new');
    await redis.kill();
    await redis.wipe();
    await redis.launch();
    expect((await doctor('--replay-export', file)).lines).toEqual(['novel: 2 operations put back; it ends at 6 now']);
    expect((await doctor('--replay-export', file)).lines.join()).toMatch(/has all of .* already/);
    expect(await history(await start(), 'novel')).toEqual(WORDS);
  },
  DEADLINE_MS,
);

test(
  'a session that the store does not know any more is in a file, too, and keeps nobody else from being saved',
  async () => {
    const first = await start();
    await create(first, 'kept', 'json');
    await write(first, 'kept', 'first');
    await saved('kept', 1);
    await first.end('SIGKILL');
    await backup('old');
    const second = await start(NEVER_SAVED);
    await create(second, 'later', 'json');
    await write(second, 'later', 'lost');
    await write(second, 'kept', 'not lost');
    await second.end('SIGKILL');
    await restore('old');

    const server = await start();
    await server.line(/"sessionId":"later".*The document store is older than Redis/);
    expect((await readHotLogFile(await exported())).stored).toBeNull();
    await eventually('the other one is saved', async () =>
      (await doctor()).of('warn').join().includes('1 operations of 1 sessions'),
    );
    expect((await doctor()).of('FAIL').join('\n')).toMatch(/later: the store does not know it/);
    expect((await doctor('--accept-store', 'later')).code).toBe(0);
    expect((await doctor()).of('FAIL')).toEqual([]);
  },
  DEADLINE_MS,
);
