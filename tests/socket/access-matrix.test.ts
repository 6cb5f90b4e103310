import { endpoints, type EndpointName } from '../../src/http/endpoints';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import { requests, type LinkAccess, type RequestName, type Role } from '../../src/protocol/schemas';
import { call, errorOf, type CallOptions } from '../http/support';
import { eventually } from '../support/eventually';
import { startServer, type TestServer } from '../support/server';
import { WireClient } from '../support/wire-client';

/** What comes of it: it is done, or refused with this code. */
type Outcome = 'ok' | 'FORBIDDEN' | 'SESSION_NOT_FOUND' | 'NOT_JOINED' | 'UNAUTHENTICATED';

const ok = 'ok';
const no = 'FORBIDDEN';
const hid = 'SESSION_NOT_FOUND';
const out = 'NOT_JOINED';
const who = 'UNAUTHENTICATED';

/** Everybody there is: what they were given, and what the link of the session gives. */
const PEOPLE = {
  owner: { role: 'owner', link: 'none' },
  editor: { role: 'editor', link: 'none' },
  commenter: { role: 'commenter', link: 'none' },
  viewer: { role: 'viewer', link: 'none' },
  'somebody with an editor link': { role: null, link: 'editor' },
  'somebody with a commenter link': { role: null, link: 'commenter' },
  'somebody with a viewer link': { role: null, link: 'viewer' },
  stranger: { role: null, link: 'none' },
  administrator: { role: null, link: 'none' },
  'nobody who says who they are': { role: null, link: 'none' },
} as const satisfies Record<string, { role: Role | null; link: LinkAccess }>;

type Person = keyof typeof PEOPLE;
const people = Object.keys(PEOPLE) as Person[];

type Row = readonly [
  owner: Outcome,
  editor: Outcome,
  commenter: Outcome,
  viewer: Outcome,
  editorLink: Outcome,
  commenterLink: Outcome,
  viewerLink: Outcome,
  stranger: Outcome,
  administrator: Outcome,
  nobody: Outcome,
];

/** By hand: what the code says of itself is not asked here. */
// biome-ignore format: a table is read by its columns
const EVENTS: Record<RequestName, Row> = {
  //                      owner edit. comm. view.  link: edit. comm. view.  stranger admin nobody
  'auth:renew':          [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  'session:create':      [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  'session:join':        [ok,   ok,   ok,   ok,          ok,   ok,   ok,    hid,     ok,   who],
  'session:leave':       [ok,   ok,   ok,   ok,          ok,   ok,   ok,    out,     ok,   who],
  'session:snapshot':    [ok,   ok,   no,   no,          ok,   no,   no,    out,     ok,   who],
  'role:list':           [ok,   ok,   no,   no,          ok,   no,   no,    hid,     ok,   who],
  'role:set':            [ok,   no,   no,   no,          no,   no,   no,    hid,     ok,   who],
  'operation:submit':    [ok,   ok,   no,   no,          ok,   no,   no,    out,     ok,   who],
  'operation:catch-up':  [ok,   ok,   ok,   ok,          ok,   ok,   ok,    out,     ok,   who],
  'awareness:update':    [ok,   ok,   ok,   ok,          ok,   ok,   ok,    out,     ok,   who],
};

// biome-ignore format: a table is read by its columns
const ENDPOINTS: Record<EndpointName, Row> = {
  //                      owner edit. comm. view.  link: edit. comm. view.  stranger admin nobody
  health:                [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  live:                  [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  ready:                 [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  stats:                 [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  openApi:               [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  docs:                  [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   ok],
  createSession:         [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  listSessions:          [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  readSession:           [ok,   ok,   ok,   ok,          ok,   ok,   ok,    hid,     ok,   who],
  renameSession:         [ok,   ok,   no,   no,          ok,   no,   no,    hid,     ok,   who],
  closeSession:          [ok,   no,   no,   no,          no,   no,   no,    hid,     ok,   who],
  duplicateSession:      [ok,   ok,   ok,   ok,          ok,   ok,   ok,    hid,     ok,   who],
  readDocument:          [ok,   ok,   ok,   ok,          ok,   ok,   ok,    hid,     ok,   who],
  appendOperations:      [ok,   ok,   no,   no,          ok,   no,   no,    hid,     ok,   who],
  readHistory:           [ok,   ok,   ok,   ok,          ok,   ok,   ok,    hid,     ok,   who],
  listRoles:             [ok,   ok,   no,   no,          ok,   no,   no,    hid,     ok,   who],
  setRole:               [ok,   no,   no,   no,          no,   no,   no,    hid,     ok,   who],
  removeRole:            [ok,   no,   no,   no,          no,   no,   no,    hid,     ok,   who],
  setLink:               [ok,   no,   no,   no,          no,   no,   no,    hid,     ok,   who],
  listDevices:           [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  revokeDevice:          [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
  revokeDevices:         [ok,   ok,   ok,   ok,          ok,   ok,   ok,    ok,      ok,   who],
};

/** A session with one saved operation, which somebody comes to. */
interface Scene {
  readonly sessionId: string;
  readonly head: Mark;
  readonly user: string;
}

let server: TestServer;
const clients: WireClient[] = [];
let scenes = 0;

beforeAll(async () => {
  server = await startServer({
    hooks: {
      authenticate: ({ token }) =>
        token === undefined ? null : { userId: token, isAdministrator: token.startsWith('administrator') },
    },
  });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => server.stop());

async function connect(token: string | undefined): Promise<WireClient> {
  const client = await WireClient.connect(server.url, { auth: token === undefined ? {} : { token } });
  clients.push(client);
  return client;
}

/** What the founder needs to be for it is no part of the matrix: the founder owns the session. */
async function scene(person: Person): Promise<Scene> {
  scenes += 1;
  const { role, link } = PEOPLE[person];
  const [founder, user] = [`founder-${scenes}`, `${person.replaceAll(' ', '-')}-${scenes}`];
  const body = { sessionId: `scene-${scenes}`, format: 'json', link };
  await call(server, 'createSession', { as: founder, body });
  const params = { sessionId: body.sessionId };
  await call(server, 'appendOperations', { as: founder, params, body: { clientSeq: 1, operations: ['written'] } });
  if (role) await call(server, 'setRole', { as: founder, params: { ...params, userId: user }, body: { role } });
  const { head } = (await call(server, 'readDocument', { as: founder, params })).body as { head: Mark };
  return { sessionId: body.sessionId, head, user };
}

const BODIES: Record<RequestName, (scene: Scene) => object> = {
  'auth:renew': ({ user }) => ({ token: user }),
  'session:create': () => ({ format: 'json' }),
  'session:join': ({ sessionId }) => ({ sessionId }),
  'session:leave': ({ sessionId }) => ({ sessionId }),
  'session:snapshot': ({ sessionId, head }) => ({ sessionId, ...head, payload: 'all of it' }),
  'role:list': ({ sessionId }) => ({ sessionId }),
  'role:set': ({ sessionId }) => ({ sessionId, userId: 'a friend', role: 'viewer' }),
  'operation:submit': ({ sessionId }) => ({ sessionId, clientSeq: 1, operations: ['more'] }),
  'operation:catch-up': ({ sessionId }) => ({ sessionId, after: GENESIS }),
  'awareness:update': ({ sessionId }) => ({ sessionId, awarenessId: '1', clock: 1, state: { cursor: 1 } }),
};

/** These are asked by who has joined, as far as they are let in. */
const OF_MEMBERS: readonly RequestName[] = [
  'session:leave',
  'session:snapshot',
  'operation:submit',
  'operation:catch-up',
  'awareness:update',
];

const CALLS: Record<EndpointName, (scene: Scene) => CallOptions> = {
  health: () => ({}),
  live: () => ({}),
  ready: () => ({}),
  stats: () => ({}),
  openApi: () => ({}),
  docs: () => ({}),
  createSession: () => ({ body: {} }),
  listSessions: () => ({}),
  readSession: ({ sessionId }) => ({ params: { sessionId } }),
  renameSession: ({ sessionId }) => ({ params: { sessionId }, body: { title: 'renamed' } }),
  closeSession: ({ sessionId }) => ({ params: { sessionId } }),
  duplicateSession: ({ sessionId }) => ({ params: { sessionId }, body: {} }),
  readDocument: ({ sessionId }) => ({ params: { sessionId } }),
  appendOperations: ({ sessionId }) => ({ params: { sessionId }, body: { clientSeq: 1, operations: ['more'] } }),
  readHistory: ({ sessionId }) => ({ params: { sessionId } }),
  listRoles: ({ sessionId }) => ({ params: { sessionId } }),
  setRole: ({ sessionId }) => ({ params: { sessionId, userId: 'a friend' }, body: { role: 'viewer' } }),
  removeRole: ({ sessionId }) => ({ params: { sessionId, userId: 'a friend' } }),
  setLink: ({ sessionId }) => ({ params: { sessionId }, body: { role: 'viewer' } }),
  listDevices: () => ({}),
  revokeDevice: () => ({ params: { deviceId: 'lost-phone' } }),
  revokeDevices: () => ({}),
};

const codeOf = (answer: unknown): string => {
  const { status, error } = answer as { status: string; error?: { code: string } };
  return status === 'ok' ? 'ok' : (error?.code ?? 'no answer');
};

async function tryEvent(name: RequestName, person: Person): Promise<string> {
  const at = await scene(person);
  const isNobody = person === 'nobody who says who they are';
  const client = await connect(isNobody ? undefined : at.user).catch((fault: { data?: { code?: string } }) => fault);
  if (!(client instanceof WireClient)) return client.data?.code ?? 'not connected';
  if (OF_MEMBERS.includes(name)) await client.ask('session:join', { sessionId: at.sessionId });
  const ask = async (): Promise<string> => codeOf(await client.askAnything(name, BODIES[name](at)));
  if (name !== 'session:snapshot') return ask();
  // Only what is saved takes a snapshot, and that is a matter of moments.
  let outcome = '';
  await eventually('the written to be saved', async () => {
    outcome = await ask();
    return outcome !== 'BAD_REQUEST';
  });
  return outcome;
}

async function tryEndpoint(name: EndpointName, person: Person): Promise<string> {
  const at = await scene(person);
  const isNobody = person === 'nobody who says who they are';
  const response = await call(server, name, { ...CALLS[name](at), ...(isNobody ? {} : { as: at.user }) });
  return response.status < 300 ? 'ok' : errorOf(response).code;
}

async function outcomes(attempt: (person: Person) => Promise<string>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const person of people) found[person] = await attempt(person);
  return found;
}

const expected = (row: Row): Record<string, Outcome> =>
  Object.fromEntries(people.map((person, index) => [person, row[index] ?? 'UNAUTHENTICATED']));

test('every event of the wire and every endpoint of HTTP has its row', () => {
  expect(Object.keys(EVENTS).sort()).toEqual(Object.keys(requests).sort());
  expect(Object.keys(ENDPOINTS).sort()).toEqual(Object.keys(endpoints).sort());
});

test.each(Object.keys(requests) as RequestName[])('[AC1] who may ask %s', async (name) => {
  expect(await outcomes((person) => tryEvent(name, person))).toEqual(expected(EVENTS[name]));
});

test.each(Object.keys(endpoints) as EndpointName[])('[AC1] who may call %s', async (name) => {
  expect(await outcomes((person) => tryEndpoint(name, person))).toEqual(expected(ENDPOINTS[name]));
});
