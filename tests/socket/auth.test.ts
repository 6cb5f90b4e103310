import type { Config } from '../../config/load-config';
import { FlowClient } from '../../src/client/flow-client';
import { eventually } from '../support/eventually';
import {
  AUDIENCE,
  IdentityProvider,
  ISSUER,
  SECRET,
  ownKeyToken,
  secretToken,
  unsignedToken,
  type Algorithm,
} from '../support/identity-provider';
import { useServers, type TestServer } from '../support/server';

const start = useServers();

const jwt = (config: Partial<Config> = {}): { config: Partial<Config> } => ({
  config: { authMode: 'jwt', authIssuer: ISSUER, authAudience: AUDIENCE, ...config },
});
const withSecret = (config: Partial<Config> = {}) => start(jwt({ authJwtSecret: SECRET, ...config }));

/** What the server says to a token, on a connection and over HTTP: a code, or `let in`. */
async function verdicts(server: TestServer, token: string | undefined): Promise<[socket: string, http: string]> {
  const socket = await server.connect({ auth: token === undefined ? {} : { token } }).then(
    () => 'let in',
    (fault: { data?: { code?: string } }) => fault.data?.code ?? 'no code',
  );
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${server.url}/api/sessions`, { headers });
  const { error } = (await response.json()) as { error?: { code: string } };
  return [socket, error?.code ?? 'let in'];
}

const REFUSED = ['UNAUTHENTICATED', 'UNAUTHENTICATED'];
const LET_IN = ['let in', 'let in'];

/** A token that is still accepted for so many milliseconds: its time is up, and the tolerance nearly. */
const endingToken = (ms: number, fields: object = {}): Promise<string> =>
  secretToken({ ...fields, exp: (Date.now() + ms - 30_000) / 1_000 });

describe('a token signed with the secret', () => {
  test('makes its subject the user', async () => {
    const server = await withSecret();
    const ann = await server.connect({ auth: { token: await secretToken({ sub: 'auth0|ann' }) } });
    const { session } = await ann.demand('session:create', {});
    expect(session.createdBy).toBe('auth0|ann');
  });

  const attacks: Array<[string, () => Promise<string | undefined> | string | undefined]> = [
    ['none at all', () => undefined],
    ['an empty one', () => ''],
    ['a name, as in open mode', () => 'ann'],
    ['one that says it needs no signature (alg none)', () => unsignedToken()],
    ['one that brings a key of its own along (jwk)', () => ownKeyToken()],
    ['one with another algorithm (HS512)', () => secretToken({}, SECRET, 'HS512')],
    ['one with another key', () => secretToken({}, 'another secret of more than 32 bytes')],
    [
      'one that was changed',
      async () => (await secretToken()).replace(/\.(.)/, (_, first: string) => `.${first === 'e' ? 'f' : 'e'}`),
    ],
    ['one whose signature was cut off', async () => (await secretToken()).replace(/[^.]+$/, '')],
    ['one that has expired', () => secretToken({ ttl: -31 })],
    ['one that is not valid yet', () => secretToken({ nbf: Math.floor(Date.now() / 1_000) + 60 })],
    ['one that was issued in the future', () => secretToken({ iat: Math.floor(Date.now() / 1_000) + 60 })],
    ['one without an end', () => secretToken({ exp: undefined })],
    ['one without a subject', () => secretToken({ sub: undefined })],
    ['one with an empty subject', () => secretToken({ sub: '' })],
    ['one whose subject cannot be seen', () => secretToken({ sub: 'ann\u0000' })],
    ['one for another audience', () => secretToken({ aud: 'another' })],
    ['one for no audience', () => secretToken({ aud: undefined })],
    ['one of another issuer', () => secretToken({ iss: 'https://evil.example' })],
    ['one of no issuer', () => secretToken({ iss: undefined })],
    ['one that lives longer than allowed', () => secretToken({ ttl: 40 * 86_400 })],
    ['a very long one', () => secretToken({ padding: 'x'.repeat(7_000) })],
  ];
  test.each(attacks)('is needed: %s is refused', async (_what, token) => {
    expect(await verdicts(await withSecret(), await token())).toEqual(REFUSED);
  });

  test('is accepted for 30 seconds beyond its end, because clocks differ', async () => {
    expect(await verdicts(await withSecret(), await secretToken({ ttl: -20 }))).toEqual(LET_IN);
  });

  test('may be for several audiences', async () => {
    expect(await verdicts(await withSecret(), await secretToken({ aud: ['other', AUDIENCE] }))).toEqual(LET_IN);
  });

  test('of any issuer and audience is accepted where none is demanded', async () => {
    const { authIssuer: _, authAudience: __, ...config } = (await withSecret()).config;
    expect(await verdicts(await start({ config }), await secretToken({ iss: 'anybody', aud: 'anything' }))).toEqual(
      LET_IN,
    );
  });
});

describe('a token signed with a published key', () => {
  const providers: IdentityProvider[] = [];
  afterEach(() => Promise.all(providers.splice(0).map((provider) => provider.close())));

  async function begin(alg: Algorithm = 'ES256') {
    const provider = await IdentityProvider.start();
    providers.push(provider);
    await provider.add('first', alg);
    return { provider, server: await start(jwt({ authJwksUrl: provider.url })) };
  }

  test.each(['RS256', 'ES256', 'EdDSA'] as const)('is accepted with %s; the keys are asked for once', async (alg) => {
    const { provider, server } = await begin(alg);
    const token = await provider.token('first');
    const all = await Promise.all([verdicts(server, token), verdicts(server, token)]);
    expect(all.flat()).toEqual(['let in', 'let in', 'let in', 'let in']);
    expect(provider.asked).toBe(1);
  });

  test('is refused when the key is not published; bogus ones do not make us ask again and again', async () => {
    const { provider, server } = await begin();
    await provider.add('foreign', 'ES256', false);
    const token = await provider.token('foreign');
    for (let count = 0; count < 5; count += 1) expect(await verdicts(server, token)).toEqual(REFUSED);
    expect(provider.asked).toBeLessThanOrEqual(2);
  });

  test('is refused when it brings its key along, or says where to get it', async () => {
    const { provider, server } = await begin();
    expect(await verdicts(server, await ownKeyToken())).toEqual(REFUSED);
    expect(await verdicts(server, await provider.token('first'))).toEqual(LET_IN);
  });

  test('is refused when it is another key under the same name', async () => {
    const { provider, server } = await begin();
    const genuine = provider.jwkOf('first');
    await provider.add('first');
    provider.answer = { status: 200, body: JSON.stringify({ keys: [genuine] }) };
    expect(await verdicts(server, await provider.token('first'))).toEqual(REFUSED);
  });

  test('is refused when the public key is used as a secret', async () => {
    const { provider, server } = await begin('RS256');
    expect(await verdicts(server, await secretToken({}, JSON.stringify(provider.jwkOf('first'))))).toEqual(REFUSED);
    expect(await verdicts(server, unsignedToken())).toEqual(REFUSED);
  });

  test('is accepted with a key that came after the others were read (rotation)', async () => {
    const { provider, server } = await begin();
    expect(await verdicts(server, await provider.token('first'))).toEqual(LET_IN);
    await provider.add('second', 'EdDSA');
    const token = await provider.token('second');
    expect(await verdicts(server, token)).toEqual(LET_IN);
    expect(await verdicts(server, await provider.token('first'))).toEqual(LET_IN);
  });

  test('goes on being accepted while the provider is away; what would need it is to wait', async () => {
    const { provider, server } = await begin();
    expect(await verdicts(server, await provider.token('first'))).toEqual(LET_IN);
    await provider.close();
    expect(await verdicts(server, await provider.token('first', { sub: 'bob' }))).toEqual(LET_IN);
    await provider.add('second');
    const token = await provider.token('second');
    expect(await verdicts(server, token)).toEqual(['BACKEND_UNAVAILABLE', 'BACKEND_UNAVAILABLE']);
    await provider.open();
    await eventually('it is back', async () => expect(await verdicts(server, token)).toEqual(LET_IN));
  });

  test.each<[string, (provider: IdentityProvider) => void]>([
    ['answers with an error', (provider) => (provider.answer = { status: 500, body: '{}' })],
    ['answers with something else', (provider) => (provider.answer = { status: 200, body: '<html>' })],
    ['answers with no keys', (provider) => (provider.answer = { status: 200, body: '{"keys":"none"}' })],
    ['takes the question and never answers', (provider) => (provider.isSilent = true)],
  ])('is to wait for a provider that %s at first, and is accepted when it does', async (_what, misbehave) => {
    const { provider, server } = await begin();
    misbehave(provider);
    const token = await provider.token('first');
    expect(await verdicts(server, token)).toEqual(['BACKEND_UNAVAILABLE', 'BACKEND_UNAVAILABLE']);
    provider.answer = undefined;
    provider.isSilent = false;
    await eventually('it is accepted', async () => expect(await verdicts(server, token)).toEqual(LET_IN));
  });
});

describe('a token that ends', () => {
  test('is told with when, and ends its connection then, with why; the others stay', async () => {
    const server = await withSecret();
    const other = await server.connect({ auth: { token: await secretToken({ sub: 'bob' }) } });
    const ann = await server.connect({ auth: { token: await endingToken(1_500) } });
    const { expiresInMs } = await ann.next('auth:expires');
    expect(expiresInMs).toBeGreaterThan(0);
    expect(expiresInMs).toBeLessThanOrEqual(1_500);
    expect(await ann.next('auth:ended')).toMatchObject({ error: { code: 'UNAUTHENTICATED', action: 'stop' } });
    await ann.gone();
    expect(other.socket.connected).toBe(true);
    await eventually('it is gone here, too', async () => expect((await server.stats()).connections.local).toBe(1));
  });

  test('is renewed on the connection, which then ends when the new one does', async () => {
    const server = await withSecret();
    const ann = await server.connect({ auth: { token: await endingToken(1_500) } });
    const renewed = await ann.demand('auth:renew', { token: await secretToken({ ttl: 600 }) });
    expect(renewed.expiresInMs).toBeGreaterThan(600_000);
    await expect(ann.next('auth:ended', undefined, 2_500)).rejects.toThrow('no auth:ended');
    const { expiresInMs } = await ann.demand('auth:renew', { token: await endingToken(500) });
    expect(expiresInMs).toBeLessThanOrEqual(500);
    await ann.next('auth:ended');
    await ann.gone();
  });

  test('is not renewed with one of another user, nor with one that is not valid; the connection is as it was', async () => {
    const server = await withSecret();
    const ann = await server.connect({ auth: { token: await endingToken(2_000) } });
    expect(await ann.refusal('auth:renew', { token: await secretToken({ sub: 'bob' }) })).toMatchObject({
      code: 'FORBIDDEN',
    });
    for (const token of [unsignedToken(), await secretToken({ ttl: -60 }), 'ann', '']) {
      expect(await ann.refusal('auth:renew', { token })).toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    const { session } = await ann.demand('session:create', {});
    expect(session.createdBy).toBe('ann');
    await ann.next('auth:ended');
    await ann.gone();
  });

  test('of somebody who does not read ends the connection all the same', async () => {
    const server = await withSecret();
    const ann = await server.connect({ auth: { token: await endingToken(500) } });
    // Its process stands still, as far as the server can see.
    const { transport }: { transport: object } = ann.socket.io.engine;
    const webSocket: unknown = Reflect.get(transport, 'ws');
    const stream: unknown = typeof webSocket === 'object' && webSocket ? Reflect.get(webSocket, '_socket') : null;
    if (typeof stream !== 'object' || !stream || !('pause' in stream) || typeof stream.pause !== 'function')
      throw new Error('no socket');
    stream.pause();
    await eventually('it is gone', async () => expect((await server.stats()).connections.local).toBe(0));
  });
});

describe('the client library', () => {
  const clients: FlowClient[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  function connect(server: TestServer, token: string | (() => Promise<string>)): FlowClient {
    const client = new FlowClient({ url: server.url, token, backoff: { firstMs: 20, ceilingMs: 100 } });
    clients.push(client);
    client.connect();
    return client;
  }

  test('shows a new token by itself in time: the connection never ends', async () => {
    const server = await withSecret();
    let asked = 0;
    const states: string[] = [];
    const client = connect(server, () => {
      asked += 1;
      return endingToken(2_000);
    });
    client.on('status', ({ state }) => states.push(state));
    await eventually('three renewals', () => asked >= 4);
    expect(states).toEqual(['connected']);
    client.close();
    expect(client.resources).toEqual({ sockets: 0, timers: 0, requests: 0, sessions: 0 });
  });

  test('comes back with a new token when it could not show one in time', async () => {
    const server = await withSecret();
    let asked = 0;
    const client = connect(server, () => {
      asked += 1;
      if (asked === 2 || asked === 3) return Promise.reject(new Error('offline'));
      return endingToken(asked === 1 ? 1_200 : 60_000);
    });
    await eventually('it is connected again', () => asked > 2 && client.status.state === 'connected');
    expect(await client.createSession({ format: 'json' })).toMatchObject({ createdBy: 'ann' });
  });

  test('says clearly that it is refused when its one token has ended, and goes on with what is held after a new one', async () => {
    const server = await withSecret();
    const client = connect(server, await endingToken(1_200));
    const { sessionId } = await client.createSession({ format: 'json' });
    const session = client.session(sessionId);
    await session.join();
    await eventually('it is refused', () => client.status.state === 'refused');
    expect(client.status).toMatchObject({ reason: { code: 'UNAUTHENTICATED', message: 'The token has expired.' } });
    expect(session.status).toMatchObject({ state: 'refused', reason: { code: 'UNAUTHENTICATED' } });
  });

  test('is refused at once with a token that is not valid', async () => {
    const server = await withSecret();
    const client = connect(server, unsignedToken());
    await eventually('it is refused', () => client.status.state === 'refused');
    await expect(client.createSession({})).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('AUTH_MODE=open', () => {
  test('each connection without a name gets one of its own, and is known by its client id all the same', async () => {
    const server = await start();
    const [one, other] = [await server.connect(), await server.connect()];
    const { session } = await one.demand('session:create', { format: 'json' });
    expect(session.createdBy).toMatch(/^guest-[0-9a-f]{10}$/);
    const { sessionId } = session;
    const { client } = await one.demand('session:join', { sessionId });
    await one.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['a'] });
    const { participants } = await other.demand('session:join', { sessionId });
    expect(new Set(participants.map(({ userId }) => userId)).size).toBe(2);
    one.close();
    const again = await server.connect();
    const known = { clientId: client.clientId, signature: client.signature };
    expect((await again.demand('session:join', { sessionId, client: known })).client.lastClientSeq).toBe(1);
  });

  test('who gives no name over HTTP is anonymous', async () => {
    const server = await start();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/api/sessions`, { method: 'POST', headers, body: '{}' });
    expect(await response.json()).toMatchObject({ session: { createdBy: 'anonymous' } });
  });

  test('a name of one user is not known by the client id of another', async () => {
    const server = await start();
    const [ada, guest] = [await server.connect({ user: 'ada' }), await server.connect()];
    const { sessionId } = (await ada.demand('session:create', {})).session;
    const { client } = await ada.demand('session:join', { sessionId });
    const known = { clientId: client.clientId, signature: client.signature };
    expect(await guest.refusal('session:join', { sessionId, client: known })).toMatchObject({ code: 'CLIENT_INVALID' });
  });
});
