import { ownSessionReply, health, stats } from '../../src/http/schemas';
import { RedisKeys } from '../../src/redis/keys';
import { eventually } from '../support/eventually';
import { AUDIENCE, ISSUER, SECRET, secretToken } from '../support/identity-provider';
import { RedisServer } from '../support/redis-server';
import { RestlessEditor } from '../support/restless-editor';
import { ask, Processes, type ServerProcess, type Variables } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
const clients: WireClient[] = [];
const editors: RestlessEditor[] = [];
let redis: RedisServer;

beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  redis.signal('SIGCONT');
  await Promise.all(editors.splice(0).map((editor) => editor.stop()));
  for (const client of clients.splice(0)) client.close();
  await processes.clean();
  await redis.stop();
});

/** What is promised between the acknowledgement and the last operation that another instance takes. */
const PROMISED_MS = 1_000;
/** The longest that anybody waits for what a role is while Redis stands still. */
const ANSWER_MS = 1_500;
/** A store on this machine answers in a few. */
const AT_ONCE_MS = 250;
/** Refusals that must be seen before anybody believes that the door is shut. */
const ENOUGH = 50;

const SETTINGS: Variables = {
  USE_REDIS_EVENT_ORDERING: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_WEBSOCKETS: 'true',
  USE_REDIS_ROLE_CACHE: 'true',
  AUTH_MODE: 'jwt',
  AUTH_JWT_SECRET: SECRET,
  AUTH_ISSUER: ISSUER,
  AUTH_AUDIENCE: AUDIENCE,
};

async function startTwo(): Promise<[ServerProcess, ServerProcess]> {
  const documents = await processes.directory();
  const start = (INSTANCE_ID: string) =>
    processes.startServer({ documents, env: { ...SETTINGS, REDIS_URL: redis.url, INSTANCE_ID } });
  return [await start('one'), await start('other')];
}

async function connect({ url }: ServerProcess, sub: string): Promise<WireClient> {
  const client = await WireClient.connect(url, { auth: { token: await secretToken({ sub }) } });
  clients.push(client);
  return client;
}

async function sharedSession(owner: WireClient): Promise<string> {
  const { session } = await owner.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  for (const userId of ['eddy', 'ella']) await owner.demand('role:set', { sessionId, userId, role: 'editor' });
  return sessionId;
}

async function typing(server: ServerProcess, sessionId: string, sub: string): Promise<RestlessEditor> {
  const editor = RestlessEditor.start(await connect(server, sub), sessionId);
  editors.push(editor);
  await eventually(
    'strokes to be taken',
    () => editor.attempts.filter(({ answer }) => answer === 'ok').length > ENOUGH,
  );
  return editor;
}

const faults: Array<[string, { begin: () => Promise<void>; end: () => Promise<void>; isSeen: boolean }]> = [
  ['works', { begin: async () => {}, end: async () => {}, isSeen: false }],
  ['is killed and comes back', { begin: () => redis.kill(), end: () => redis.launch(), isSeen: true }],
  [
    'stands still (SIGSTOP) and goes on',
    { begin: async () => redis.signal('SIGSTOP'), end: async () => redis.signal('SIGCONT'), isSeen: true },
  ],
];

test.each(faults)(
  '[AC3] an editor who is made viewer on another instance gets no operation in a second later, while Redis %s',
  async (_what, { begin, end, isSeen }) => {
    const [one, other] = await startTwo();
    const owner = await connect(one, 'olga');
    const sessionId = await sharedSession(owner);
    const there = [await typing(other, sessionId, 'eddy'), await typing(other, sessionId, 'ella')];
    const [eddy, ella] = there;
    if (!eddy || !ella) throw new Error('there are two');
    const beganAt = performance.now();
    await begin();
    await owner.demand('role:set', { sessionId, userId: 'eddy', role: 'viewer' });
    const heldFrom = performance.now() + PROMISED_MS;
    await eventually('the promise to be due', () => performance.now() > heldFrom);
    await end();
    // That the door is not shut for all shows that it is shut for one.
    await eventually(
      'the other editor to write',
      () => ella.after(heldFrom).some(({ answer }) => answer === 'ok'),
      60_000,
    );
    await eventually('enough strokes to judge by', () => eddy.after(heldFrom).length > ENOUGH);
    expect(eddy.answersAfter(heldFrom)).not.toContain('ok');
    expect(eddy.answersAfter(heldFrom)).toContain('FORBIDDEN');
    const refusals = ella.after(beganAt).filter(({ answer }) => answer !== 'ok');
    expect(refusals.length > 0).toBe(isSeen);
  },
  90_000,
);

test('[AC4] while Redis stands still roles are answered in time at first and at once after that, and open no door', async () => {
  const [one] = await startTwo();
  const owner = await connect(one, 'olga');
  const sessionId = await sharedSession(owner);
  const url = `${one.url}/api/sessions/${sessionId}`;
  const [ann, ella, eddy] = [
    await secretToken({ sub: 'ann' }),
    await secretToken({ sub: 'ella' }),
    await secretToken({ sub: 'eddy' }),
  ];
  const timed = async (token: string): Promise<{ status: number; ms: number }> => {
    const askedAt = performance.now();
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    return { status: response.status, ms: performance.now() - askedAt };
  };
  redis.signal('SIGSTOP');
  const first = await timed(ann);
  expect(first.status).toBe(404);
  expect(first.ms).toBeLessThan(ANSWER_MS);
  for (const [token, status] of [
    [ann, 404],
    [ella, 200],
    [eddy, 200],
    [ella, 200],
  ] as const) {
    const next = await timed(token);
    expect(next.status).toBe(status);
    expect(next.ms).toBeLessThan(AT_ONCE_MS);
  }
  await owner.demand('role:set', { sessionId, userId: 'ella', role: 'none' });
  expect(await timed(ella)).toMatchObject({ status: 404 });
  redis.signal('SIGCONT');
  await eventually('Redis to be there again', async () =>
    expect((await ask(`${one.url}/health`, health)).body.redis.status).toBe('ok'),
  );
  expect([(await timed(ella)).status, (await timed(eddy)).status]).toEqual([404, 200]);
}, 30_000);

test('instances share what they have read, say so, and show it', async () => {
  const [one, other] = await startTwo();
  const owner = await connect(one, 'olga');
  const sessionId = await sharedSession(owner);
  const roleOf = async (server: ServerProcess, sub: string) =>
    (await ask(`${server.url}/api/sessions/${sessionId}`, ownSessionReply, await secretToken({ sub }))).body.role;
  expect([await roleOf(one, 'ella'), await roleOf(other, 'ella')]).toEqual(['editor', 'editor']);
  const key = new RedisKeys('flow:').role(sessionId, 'ella');
  const [text, ttl] = await redis.command(async (client) => [await client.get(key), await client.ttl(key)] as const);
  expect(JSON.parse(text ?? '')).toEqual({ role: 'editor', link: 'none', number: expect.any(Number) });
  expect(ttl).toBeGreaterThan(290);
  await owner.demand('role:set', { sessionId, userId: 'ella', role: 'viewer' });
  await eventually(
    'the other instance to know',
    async () => expect(await roleOf(other, 'ella')).toBe('viewer'),
    PROMISED_MS,
  );
  for (const server of [one, other]) {
    expect((await ask(`${server.url}/health`, health)).body.services.roleCache).toEqual({
      backend: 'redis',
      configured: 'redis',
      status: 'ok',
    });
    expect((await ask(`${server.url}/ws/stats`, stats)).body.backends.roleCache).toBe('redis');
    expect(server.lines.join('\n')).toContain('✅ [RedisDI] Using Redis Role Cache');
  }
});
