import { RedisServer } from '../support/redis-server';
import { Processes, SERVER, type Variables } from '../support/server-process';

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
    const second = await launch(documents, { ...ALL, [flag]: 'false', INSTANCE_ID: 'second' });
    const [line] = await second.line(/"msg":"Instance first [^"]*Waiting\."/);
    expect(line).toContain(`set ${flag}=true here, or stop that one`);
    expect(second.lines.some((said) => LISTENS.test(said))).toBe(false);
    // Killed, so that its lease is still there: its process is not.
    await first.end('SIGKILL');
    await second.line(LISTENS);
  },
);

test('beside an instance that has something in memory one with everything in Redis waits, too', async () => {
  const documents = await processes.directory();
  const first = await launch(documents, { ...ALL, USE_REDIS_WEBSOCKETS: 'false', INSTANCE_ID: 'first' });
  await first.line(LISTENS);
  const second = await launch(documents, { ...ALL, INSTANCE_ID: 'second' });
  const [line] = await second.line(/"msg":"Instance first [^"]*Waiting\."/);
  expect(line).toContain('set USE_REDIS_WEBSOCKETS=true there');
  expect((await second.end('SIGTERM')).code).toBe(0);
});

test('two processes under one INSTANCE_ID do not run side by side', async () => {
  const documents = await processes.directory();
  await (await launch(documents, { ...ALL, INSTANCE_ID: 'same' })).line(LISTENS);
  const second = await launch(documents, { ...ALL, INSTANCE_ID: 'same' });
  const [line] = await second.line(/"msg":"Another process runs as instance same [^"]*"/);
  expect(line).toContain('set INSTANCE_ID');
});
