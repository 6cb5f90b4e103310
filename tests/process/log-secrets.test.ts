import { eventually } from '../support/eventually';
import { AUDIENCE, SECRET, secretToken } from '../support/identity-provider';
import { RedisServer } from '../support/redis-server';
import { Processes } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
afterEach(() => processes.clean());

const ADMIN_TOKEN = 'the token of administrators';
const FLOW_SECRET = 'the secret that client ids are signed with';
const PASSWORD = 'the-password-of-redis';
const TEXT = 'what somebody wrote';

test('no secret and nothing that was written is in the log, in errors or in health, however much is logged', async () => {
  const redis = await RedisServer.start('--requirepass', PASSWORD);
  processes.onClean(() => redis.stop());
  const server = await processes.startServer({
    documents: await processes.directory(),
    env: {
      ...{ LOG_LEVEL: 'trace', DEBUG: 'redis:*', FLOW_SECRET, ADMIN_TOKEN },
      ...{ AUTH_MODE: 'jwt', AUTH_JWT_SECRET: SECRET, AUTH_AUDIENCE: AUDIENCE },
      ...{ USE_REDIS_EVENT_ORDERING: 'true', USE_REDIS_COLLABORATION: 'true', USE_REDIS_WEBSOCKETS: 'true' },
      ...{ USE_REDIS_DEVICES: 'true', REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${redis.port}` },
    },
  });
  const [good, next, bad] = [
    await secretToken({ sid: 'here' }),
    await secretToken({ sid: 'here', next: true }),
    await secretToken({}, 'another secret of more than 32 bytes'),
  ];
  const said: string[] = [];
  const get = async (path: string, token?: string, init: RequestInit = {}): Promise<void> => {
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(`${server.url}${path}`, { headers, ...init });
    said.push(await response.text());
  };

  const client = await WireClient.connect(server.url, { auth: { token: good } });
  const { sessionId } = (await client.demand('session:create', { format: 'json' })).session;
  const { client: credentials } = await client.demand('session:join', { sessionId });
  await client.demand('operation:submit', { sessionId, clientSeq: 1, operations: [{ text: TEXT }] });
  await client.demand('auth:renew', { token: next });
  await client.refusal('auth:renew', { token: bad });
  await client.refusal('operation:submit', { sessionId, clientSeq: 7, operations: [{ text: TEXT }] });
  await client.askAnything('session:create', { sessionId, title: TEXT, token: next });
  await expect(WireClient.connect(server.url, { auth: { token: bad, password: PASSWORD } })).rejects.toThrow();
  await get('/api/sessions', good);
  await get('/api/sessions', bad);
  await get(`/api/sessions?token=${next}`, good);
  await get('/ws/stats', ADMIN_TOKEN);
  await get('/ws/stats', `${ADMIN_TOKEN}!`);
  await get('/api/sessions', good, { method: 'POST', body: `{"title": ${TEXT}}` });
  await get('/health');
  await redis.kill();
  await eventually('it is noticed', async () => expect((await fetch(`${server.url}/health`)).status).toBe(503));
  await get('/health');
  await get('/health/ready');
  client.close();
  await server.end('SIGKILL');

  const log = server.lines.join('\n');
  // The control: all of it was logged.
  for (const expected of [
    'request refused',
    '"event":"connect"',
    'request answered',
    'redis:command',
    '"path":"/api/sessions"',
  ])
    expect(log).toContain(expected);
  const secrets = {
    good,
    next,
    bad,
    SECRET,
    ADMIN_TOKEN,
    FLOW_SECRET,
    PASSWORD,
    TEXT,
    signature: credentials.signature,
  };
  const found = Object.entries(secrets).filter(
    ([, secret]) => log.includes(secret) || said.join('\n').includes(secret),
  );
  expect(found.map(([name]) => name)).toEqual([]);
  // The end of a token is what makes it one.
  for (const token of [good, next, bad]) expect(log).not.toContain(token.slice(-20));
  expect(said.join('\n')).not.toMatch(/node_modules|\.js:\d+|\bat (?:Object|async)\b/);
}, 60_000);
