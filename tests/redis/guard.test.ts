import { live, readiness } from '../../src/http/schemas';
import type { LaunchedProcess } from '../../src/tools/server-process';
import { eventually } from '../support/eventually';
import { RedisServer } from '../support/redis-server';
import { ask, portToComeBackTo, Processes, SERVER, type Variables } from '../support/server-process';

const processes = new Processes();
let redis: RedisServer;

beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const ALL: Variables = {
  USE_REDIS_EVENT_ORDERING: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
};

/** A server on this test's Redis; resolves when its process runs. */
const launch = (documents: string, env: Variables) =>
  processes.launch([process.execPath, SERVER], {
    env: { HOST: '127.0.0.1', PORT: '0', DOCUMENT_DIR: documents, REDIS_URL: redis.url, ...env },
  });

const LISTENS = /Flow Backend listens on/;
const WAITS = /"msg":"(Instance first [^"]*Waiting\.)"/;
/** Much less than the lease of whoever is gone. */
const AT_ONCE_MS = 4_000;

const reasonsAt = async (port: number) => {
  const { status, body } = await ask(`http://127.0.0.1:${port}/health/ready`, readiness);
  return { status, reasons: body.reasons };
};

/**
 * A second one that waits beside the first: says why, in the log once and to whoever asks, lives, and serves when the first is gone. Answers
 * how long that took.
 */
async function takeOverMs(
  first: LaunchedProcess,
  { env, documents, says }: { env: Variables; documents: string; says: string },
): Promise<number> {
  const port = await portToComeBackTo();
  const second = await launch(documents, { INSTANCE_ID: 'second', PORT: String(port), ...env });
  const [, line = ''] = await second.line(WAITS);
  expect(line).toContain(says);
  expect(await reasonsAt(port)).toEqual({
    status: 503,
    reasons: [expect.objectContaining({ code: 'starting' }), { code: 'another-instance', message: line }],
  });
  expect((await ask(`http://127.0.0.1:${port}/health/live`, live)).status).toBe(200);
  // Nobody is let in.
  expect((await fetch(`http://127.0.0.1:${port}/api/sessions`)).status).toBe(503);
  expect(second.lines.filter((said) => WAITS.test(said))).toHaveLength(1);
  expect(second.lines.some((said) => LISTENS.test(said))).toBe(false);
  // Killed, so that its lease is still there: its process is not.
  const killedAt = performance.now();
  await first.end('SIGKILL');
  await second.line(LISTENS);
  const tookMs = performance.now() - killedAt;
  expect(await reasonsAt(port)).toEqual({ status: 200, reasons: [] });
  return tookMs;
}

test('two instances with everything in Redis run side by side', async () => {
  const documents = await processes.directory();
  for (const INSTANCE_ID of ['one', 'other']) {
    const launched = await launch(documents, { ...ALL, INSTANCE_ID });
    expect(await launched.line(LISTENS)).toHaveLength(1);
  }
});

test.each(['USE_REDIS_EVENT_ORDERING', 'USE_REDIS_COLLABORATION', 'USE_REDIS_WEBSOCKETS'])(
  'beside an instance with everything in Redis one without %s waits, says so, and serves when the other is gone',
  async (flag) => {
    const documents = await processes.directory();
    const first = await launch(documents, { ...ALL, INSTANCE_ID: 'first' });
    await first.line(LISTENS);
    const tookMs = await takeOverMs(first, {
      documents,
      env: { ...ALL, [flag]: 'false' },
      says: `set ${flag}=true here, or stop that one`,
    });
    expect(tookMs).toBeLessThan(AT_ONCE_MS);
  },
);

test('beside an instance that has something in memory one with everything in Redis waits, too', async () => {
  const documents = await processes.directory();
  const first = await launch(documents, { ...ALL, USE_REDIS_WEBSOCKETS: 'false', INSTANCE_ID: 'first' });
  await first.line(LISTENS);
  const tookMs = await takeOverMs(first, { documents, env: ALL, says: 'set USE_REDIS_WEBSOCKETS=true there' });
  expect(tookMs).toBeLessThan(AT_ONCE_MS);
});

describe('instances that know each other only through the store', () => {
  const EVERY_FLAG = 'USE_REDIS_WEBSOCKETS=true, USE_REDIS_COLLABORATION=true, USE_REDIS_EVENT_ORDERING=true';
  /** Nobody listens there. */
  const NO_REDIS: Variables = { ...ALL, REDIS_URL: 'redis://127.0.0.1:1', REDIS_FALLBACK: 'memory' };

  test.each<[string, string, Variables, Variables, string]>([
    ['all in memory', 'all in memory', {}, {}, `set ${EVERY_FLAG} here and set ${EVERY_FLAG} there`],
    ['all in Redis', 'all in memory', ALL, {}, `set ${EVERY_FLAG} here, or`],
    ['all in memory', 'all in Redis', {}, ALL, `set ${EVERY_FLAG} there, or`],
    ['all in Redis', 'fallen back', ALL, NO_REDIS, 'set REDIS_FALLBACK=exit here'],
    ['fallen back', 'all in Redis', NO_REDIS, ALL, 'set REDIS_FALLBACK=exit there'],
  ])('the first %s, the second %s: the second waits', async (_first, _second, firstEnv, env, says) => {
    const documents = await processes.directory();
    const first = await launch(documents, { ...firstEnv, INSTANCE_ID: 'first' });
    await first.line(LISTENS);
    expect(await takeOverMs(first, { documents, env, says })).toBeLessThan(AT_ONCE_MS);
  });
});

test('with everything in Redis two instances with a store each do not run side by side', async () => {
  const first = await launch(await processes.directory(), { ...ALL, INSTANCE_ID: 'first' });
  await first.line(LISTENS);
  const tookMs = await takeOverMs(first, {
    documents: await processes.directory(),
    env: ALL,
    says: 'set DOCUMENT_DIR of both to one directory of one machine',
  });
  expect(tookMs).toBeLessThan(AT_ONCE_MS);
});

test('of five that start together on one store one serves, and when it stops, the next one', async () => {
  const documents = await processes.directory();
  let waiting = await Promise.all(
    ['a', 'b', 'c', 'd', 'e'].map((INSTANCE_ID) => launch(documents, { INSTANCE_ID, REDIS_URL: '' })),
  );
  const isServing = ({ lines }: LaunchedProcess): boolean => lines.some((said) => LISTENS.test(said));
  for (let left = waiting.length; left > 0; left -= 1) {
    await eventually('one serves', () => waiting.some(isServing));
    await eventually('all others wait', () =>
      waiting.every((launched) => isServing(launched) || launched.lines.some((said) => said.includes('Waiting.'))),
    );
    const [one, ...more] = waiting.filter(isServing);
    expect([one === undefined, more.length]).toEqual([false, 0]);
    waiting = waiting.filter((launched) => launched !== one);
    await one?.end(left % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
  }
});

test('one that waits stops in order when it is told to', async () => {
  const documents = await processes.directory();
  await (await launch(documents, { INSTANCE_ID: 'first' })).line(LISTENS);
  const second = await launch(documents, { INSTANCE_ID: 'second' });
  await second.line(WAITS);
  expect(await second.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('two processes under one INSTANCE_ID do not run side by side', async () => {
  const documents = await processes.directory();
  await (await launch(documents, { ...ALL, INSTANCE_ID: 'same' })).line(LISTENS);
  const second = await launch(documents, { ...ALL, INSTANCE_ID: 'same' });
  const [line] = await second.line(/"msg":"Another process runs as instance same [^"]*"/);
  expect(line).toContain('set INSTANCE_ID');
});
