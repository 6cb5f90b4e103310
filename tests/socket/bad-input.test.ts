import { GENESIS } from '../../src/protocol/positions';
import { requests, type RequestName } from '../../src/protocol/schemas';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession, yjsUpdates } from '../support/documents';
import { eventually } from '../support/eventually';
import { Follower } from '../support/follower';
import { seededRandom } from '../../src/tools/seeded-random';
import { RawSocket } from '../support/raw-socket';
import { startServer, type TestServer } from '../support/server';
import type { WireClient } from '../support/wire-client';

/** One server takes all of this; beside it somebody works on, and everything else that is stored is a fault. */
let server: TestServer;
let store: MemoryDocumentStore;
let author: WireClient;
let reader: Follower;
let sessionId: string;
let yjsSessionId: string;
let written = 0;
const unhandled: unknown[] = [];
const note = (fault: unknown): void => void unhandled.push(fault);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  store = new MemoryDocumentStore();
  server = await startServer({ store, isLimited: false });
  author = await server.connect({ user: 'author' });
  sessionId = await createSession(author, 'json');
  yjsSessionId = await createSession(author, 'yjs');
  await author.demand('session:join', { sessionId });
  reader = await Follower.join(await server.connect({ user: 'reader' }), sessionId);
});

afterAll(async () => {
  await server.stop();
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});

/** After every test: the author writes on, the reader gets it, and the store has that and nothing else. */
afterEach(() => expectUnharmed());

async function expectUnharmed(): Promise<void> {
  written += 1;
  await author.demand('operation:submit', { sessionId, clientSeq: written, operations: [written] });
  await reader.reach(written);
  await eventually('it is stored', async () => (await store.operationLog.head(sessionId))?.seq === written);
  expect(reader.faults).toEqual([]);
  expect(author.socket.connected).toBe(true);
  const stored = await store.operationLog.readAfter(sessionId, 0, 10_000_000);
  expect(stored.map(({ operations }) => operations)).toEqual(
    Array.from({ length: written }, (_, index) => `[${index + 1}]`),
  );
  expect(await store.operationLog.head(yjsSessionId)).toMatchObject({ seq: 0 });
  expect(await store.snapshots.latest(sessionId)).toBeNull();
  const records = await store.sessionRecords.list({ limit: 100 });
  expect(records.map((record) => record.sessionId).sort()).toEqual([sessionId, yjsSessionId].sort());
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(unhandled).toEqual([]);
}

/** A connection of its own that has joined both sessions. */
async function joined(user = 'mallory'): Promise<WireClient> {
  const client = await server.connect({ user });
  for (const id of [sessionId, yjsSessionId]) await client.demand('session:join', { sessionId: id });
  return client;
}

/** The connection was ended, or it still answers; a third there is not. */
async function endsOrAnswers(
  socket: RawSocket,
  question = '42777["test:fence",{}]',
  answer = '43777',
): Promise<'ended' | 'answered'> {
  if (!socket.isClosed) socket.send(question);
  try {
    await socket.hears((text) => text.startsWith(answer));
    return 'answered';
  } catch (fault) {
    if (!socket.isClosed) throw fault;
    return 'ended';
  } finally {
    socket.close();
  }
}

describe('garbage frames', () => {
  const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

  test.each(
    [
      // Engine.IO
      '',
      ' ',
      'x',
      '9',
      '7garbage',
      '5',
      '6',
      '1',
      '0{}',
      '2probe',
      '3',
      'b',
      'bAAAA',
      'b!!!',
      '\u0000',
      '\ud800',
      '4',
      // Socket.IO
      '49',
      '4x',
      '42',
      '42{}',
      '42[]',
      '42[1,2',
      '42["x"',
      '42[null]',
      '42[[]]',
      '42[{}]',
      '42[5]',
      '42[-1,{}]',
      '42"x"',
      '42null',
      '42["connect"]',
      '42["connect_error"]',
      '42["disconnect"]',
      '42["disconnecting"]',
      '42["newListener",1]',
      '42["removeListener"]',
      '42["error"]',
      '42["error",{"a":1}]',
      '42["__proto__"]',
      '42["constructor",{}]',
      '42["toString",{}]',
      '42["hasOwnProperty",1]',
      '42[""]',
      '420[""]',
      '42-1["x"]',
      '4299999999999999999999["session:leave",{}]',
      '421e3["session:leave",{}]',
      '43',
      '430',
      '430[]',
      '430{}',
      '4399999[]',
      '43["x"]',
      '41{}',
      '44',
      '44{}',
      '44"x"',
      '40',
      '40null',
      '40[]',
      '40"x"',
      '405',
      '40/other,',
      '40/other,{}',
      '42/other,["x"]',
      '40/__proto__,',
      '40,{}',
      '42,',
      // Binary events
      '45',
      '450-["x"]',
      '451-["x"]',
      '451-',
      '45-1-["x"]',
      '459999999999-["x"]',
      '451-["operation:submit",{"_placeholder":true,"num":0}]',
      '451-["x",{"_placeholder":true,"num":-1}]',
      '451-["x",{"_placeholder":true,"num":1e9}]',
      '461-0[]',
      '46',
      // Too much of it
      `42["operation:submit",${deep(1_000_000)}]`,
      `420["operation:submit",${deep(200_000)}]`,
      `42["${'e'.repeat(2_000_000)}"]`,
      `40${JSON.stringify({ token: 'x'.repeat(2_000_000) })}`,
      `42[${'"x",'.repeat(300_000)}1]`,
      `42["x",${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]`,
    ].map((frame) => ({ start: JSON.stringify(frame.slice(0, 60)), length: frame.length, frame })),
  )('a text frame ends its own connection at most: $start of $length', async ({ frame }) => {
    const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
    socket.send(frame);
    expect(await endsOrAnswers(socket)).toMatch(/^(ended|answered)$/);
  });

  test('the same before anybody has said who they are', async () => {
    for (const frame of [
      '42["session:create",{}]',
      '43',
      '45',
      '40{',
      '40[1]',
      '41',
      'x',
      '450-["session:create",{}]',
      '40/admin,',
    ]) {
      const socket = await RawSocket.open(server.url);
      socket.send(frame);
      expect(await endsOrAnswers(socket, '40{"token":"late"}', '40{')).toMatch(/^(ended|answered)$/);
    }
  });

  test('who leaves in the middle of a request may come back on the same connection', async () => {
    const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
    socket.send('41');
    socket.send('421["session:join",{}]');
    expect(await endsOrAnswers(socket, '40{"token":"mallory"}', '40{')).toMatch(/^(ended|answered)$/);
  });

  test('two handshakes at once are no way around anything', async () => {
    const socket = await RawSocket.open(server.url);
    socket.send('40{"token":"one"}');
    socket.send('40{"token":"two"}');
    socket.send('420["session:leave",{"sessionId":"nobody"}]');
    expect(await endsOrAnswers(socket)).toMatch(/^(ended|answered)$/);
    await eventually('nobody is left behind', async () =>
      expect((await server.stats()).connections.local).toBeLessThanOrEqual(2),
    );
  });

  test('random bytes, 300 frames of seed 7, end their own connections at most', async () => {
    const random = seededRandom(7);
    const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    for (let round = 0; round < 20; round += 1) {
      const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
      for (let frame = 0; frame < 15 && !socket.isClosed; frame += 1) {
        const garbage = bytes(Math.floor(random() * 400));
        socket.send(random() < 0.5 ? garbage : `42${garbage.toString('latin1')}`);
      }
      expect(await endsOrAnswers(socket)).toMatch(/^(ended|answered)$/);
    }
  });

  test('binary where attachments were announced: more, fewer, none, without an event', async () => {
    for (const frames of [
      ['451-["operation:submit",{"_placeholder":true,"num":0}]', Buffer.from('a')],
      ['451-["operation:submit",{"_placeholder":true,"num":5}]', Buffer.from('a')],
      ['452-["operation:submit",{"_placeholder":true,"num":0}]', Buffer.from('a'), '42["x"]'],
      [Buffer.from('a')],
      ['450-["operation:submit"]', Buffer.from('a')],
      [`451-["operation:submit",${deep(300_000)},{"_placeholder":true,"num":0}]`, Buffer.from('a')],
    ]) {
      const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
      for (const frame of frames) socket.send(frame);
      expect(await endsOrAnswers(socket)).toMatch(/^(ended|answered)$/);
    }
  });

  test('[EO10] a frame beyond every limit ends its connection', async () => {
    const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
    socket.send(`420${JSON.stringify(['session:create', { title: 'x'.repeat(5_000_000) }])}`);
    expect(await socket.closed()).toBe(1009);
  });

  test('a text that is no UTF-8 ends its connection', async () => {
    const { socket } = await RawSocket.connect(server.url, { token: 'mallory' });
    socket.sendFrame(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]));
    expect(await socket.closed()).toBeGreaterThan(1_000);
  });
});

/** A good request of each kind; every test spoils one thing about it. */
const good = (): Record<RequestName, Record<string, unknown>> => ({
  'auth:renew': { token: 'mallory' },
  'session:create': { sessionId: 'bad-input', title: 'Bad input', format: 'json' },
  'session:join': {
    sessionId,
    client: { clientId: 'c', signature: 's' },
    have: { epoch: 0, head: GENESIS, saved: GENESIS },
    stateVector: 'AA==',
  },
  'session:leave': { sessionId },
  'session:snapshot': { sessionId, seq: 1, tag: '0123456789abcdef', payload: { text: '' } },
  'role:list': { sessionId },
  'role:set': { sessionId, userId: 'ann', role: 'viewer' },
  'operation:submit': { sessionId, clientSeq: 1, operations: ['x'], base: { seq: 1, tag: '0123456789abcdef' } },
  'operation:catch-up': { sessionId, after: GENESIS, limit: 10 },
  'awareness:update': { sessionId, awarenessId: '1', clock: 1, state: { cursor: 1 } },
});

const notAString = [null, 7, true, {}, [], ['x']];
const notAnId = [...notAString, '', 'a/b', '../x', 'ü', 'a b', 'a\n', 'x'.repeat(129), 'x'.repeat(1_000_000)];
const notASequence = [
  null,
  '1',
  true,
  {},
  [],
  -1,
  -0.5,
  1.5,
  2 ** 53,
  2 ** 53 + 2,
  1e300,
  -1e300,
  Number.MAX_SAFE_INTEGER,
];
const notATag = [...notAString, 'x', '0123456789ABCDEF', '0123456789abcde', '0123456789abcdef0', ' '.repeat(16)];
const notAnObject = [null, 7, 'x', true, [], [[]]];

/** Path → what must not be there. What may be missing is marked. */
const wrongValues: Record<
  RequestName,
  Record<string, { readonly wrong: readonly unknown[]; readonly isOptional?: true }>
> = {
  'auth:renew': { token: { wrong: [...notAString, 'x'.repeat(8_193)] } },
  'session:create': {
    sessionId: { wrong: notAnId, isOptional: true },
    title: { wrong: [...notAString, 'x'.repeat(257), 'x'.repeat(1_000_000)], isOptional: true },
    format: { wrong: [...notAString, 'text', 'YJS', '__proto__', 'constructor'], isOptional: true },
    link: { wrong: [...notAString, 'owner', 'everybody', '__proto__'], isOptional: true },
  },
  'session:join': {
    sessionId: { wrong: notAnId },
    client: { wrong: notAnObject, isOptional: true },
    'client.clientId': { wrong: notAnId },
    'client.signature': { wrong: [...notAString, 'x'.repeat(129)] },
    have: { wrong: notAnObject, isOptional: true },
    // An epoch has no bound of its own, so every safe integer is one.
    'have.epoch': { wrong: notASequence.filter((value) => value !== Number.MAX_SAFE_INTEGER) },
    'have.head': { wrong: notAnObject },
    'have.head.seq': { wrong: notASequence },
    'have.head.tag': { wrong: notATag },
    'have.saved': { wrong: notAnObject },
    'have.saved.seq': { wrong: notASequence },
    'have.saved.tag': { wrong: notATag },
    stateVector: { wrong: [...notAString, 'not base64!', 'A'.repeat(1_048_580), 'AAA'], isOptional: true },
  },
  'session:leave': { sessionId: { wrong: notAnId } },
  'session:snapshot': {
    sessionId: { wrong: notAnId },
    seq: { wrong: notASequence },
    tag: { wrong: notATag },
    payload: { wrong: [] },
  },
  'role:list': { sessionId: { wrong: notAnId } },
  'role:set': {
    sessionId: { wrong: notAnId },
    userId: { wrong: [...notAString, '', 'a\nb', '\u0000', '\ud800', 'x'.repeat(257), 'x'.repeat(100_000)] },
    // Beside a user there is nothing that it may be.
    link: { wrong: [...notAString, true, false], isOptional: true },
    role: { wrong: [...notAString, 'admin', 'Owner', '__proto__', 'constructor'] },
  },
  'operation:submit': {
    sessionId: { wrong: notAnId },
    clientSeq: { wrong: [...notASequence, 0] },
    operations: { wrong: [null, 7, 'x', true, {}, [], { length: 1, 0: 'x' }] },
    base: { wrong: notAnObject, isOptional: true },
    'base.seq': { wrong: notASequence },
    'base.tag': { wrong: notATag },
    ref: { wrong: notASequence, isOptional: true },
  },
  'operation:catch-up': {
    sessionId: { wrong: notAnId },
    after: { wrong: notAnObject },
    'after.seq': { wrong: notASequence },
    'after.tag': { wrong: notATag },
    limit: { wrong: [...notASequence, 0, 10_001], isOptional: true },
  },
  'awareness:update': {
    sessionId: { wrong: notAnId },
    awarenessId: { wrong: [...notAString, '', '__proto__', 'a/b', 'x'.repeat(65)] },
    clock: { wrong: notASequence },
    // Any value may be one; nothing says that it is gone.
    state: { wrong: [], isOptional: true },
  },
};

/** A copy with one field replaced, or taken away. */
function spoiled(
  request: Record<string, unknown>,
  path: string,
  change: { to: unknown } | 'missing',
): Record<string, unknown> {
  const [name = '', ...rest] = path.split('.');
  const copy = { ...request };
  if (rest.length > 0) copy[name] = spoiled(copy[name] as Record<string, unknown>, rest.join('.'), change);
  else if (change === 'missing') delete copy[name];
  else copy[name] = change.to;
  return copy;
}

const refused = (code: string) => ({ status: 'error', error: expect.objectContaining({ code }) });

describe('wrong schemas', () => {
  const names = Object.keys(requests) as RequestName[];

  test('every request has its wrong values here', () => {
    expect(Object.keys(wrongValues).sort()).toEqual([...names].sort());
    for (const name of names) {
      for (const field of Object.keys(requests[name].shape)) {
        expect(wrongValues[name]).toHaveProperty([field]);
      }
    }
  });

  test.each(names)('%s: each field missing or wrong is BAD_REQUEST', async (name) => {
    const client = await joined();
    const request = good()[name];
    const asked: Array<{ what: string; body: unknown }> = [];
    for (const [path, { wrong, isOptional }] of Object.entries(wrongValues[name])) {
      for (const value of wrong) {
        asked.push({
          what: `${path} = ${JSON.stringify(value)?.slice(0, 40)}`,
          body: spoiled(request, path, { to: value }),
        });
      }
      if (!isOptional) asked.push({ what: `${path} missing`, body: spoiled(request, path, 'missing') });
    }
    for (const body of [null, 7, 'x', true, [], [request], JSON.stringify(request)])
      asked.push({ what: 'the body', body });
    asked.push({ what: 'a field too many', body: { ...request, admin: true } });
    asked.push({
      what: 'an own __proto__',
      body: JSON.parse(`{"__proto__":{"polluted":true},${JSON.stringify(request).slice(1)}`),
    });
    asked.push({ what: 'a constructor', body: { ...request, constructor: { prototype: { polluted: true } } } });
    for (const { what, body } of asked) {
      const answer = await client.askAnything(name, body);
      expect({ what, answer }).toEqual({ what, answer: refused('BAD_REQUEST') });
    }
    expect(await client.askAnything(name)).toEqual(refused('BAD_REQUEST'));
    expect(client.socket.connected).toBe(true);
    client.close();
  });

  test.each(names)('%s: binary attachments are BAD_REQUEST wherever they stand', async (name) => {
    const client = await joined();
    const request = good()[name];
    expect(await client.askAnything(name, Buffer.from('{}'))).toEqual(refused('BAD_REQUEST'));
    for (const path of Object.keys(wrongValues[name])) {
      const body = spoiled(request, path, { to: Buffer.from('x') });
      expect({ path, answer: await client.askAnything(name, body) }).toEqual({ path, answer: refused('BAD_REQUEST') });
    }
    client.close();
  });

  test('a message that quotes what was sent is short', async () => {
    const client = await joined();
    const answer = await client.askAnything('session:leave', { sessionId, ['x'.repeat(1_000_000)]: 1 });
    expect(JSON.stringify(answer).length).toBeLessThan(500);
    client.close();
  });
});

describe('payloads', () => {
  const poisoned = [
    '{"__proto__":{"polluted":true}}',
    '[{"a":{"__proto__":{"polluted":true}}}]',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"a":[{"constructor":{"prototype":{"polluted":true}}}]}',
  ].map((text): unknown => JSON.parse(text));

  test('keys that could change a prototype are refused in operations, snapshots and awareness', async () => {
    const client = await joined();
    for (const payload of poisoned) {
      const asked: Array<[RequestName, object]> = [
        ['operation:submit', { sessionId, clientSeq: 1, operations: ['fine', payload] }],
        ['session:snapshot', { sessionId, ...reader.head, payload }],
        ['awareness:update', { sessionId, awarenessId: '1', clock: 1, state: payload }],
      ];
      for (const [name, body] of asked) {
        expect({ name, answer: await client.askAnything(name, body) }).toEqual({
          name,
          answer: refused('BAD_REQUEST'),
        });
      }
    }
    client.close();
  });

  test('what is nested too deep is refused in operations, snapshots and awareness', async () => {
    const client = await joined();
    let payload: unknown = 1;
    for (let level = 0; level < 500; level += 1) payload = level % 2 === 0 ? [payload] : { in: payload };
    expect(await client.askAnything('operation:submit', { sessionId, clientSeq: 1, operations: [payload] })).toEqual(
      refused('BAD_REQUEST'),
    );
    expect(await client.askAnything('session:snapshot', { sessionId, ...reader.head, payload })).toEqual(
      refused('BAD_REQUEST'),
    );
    expect(
      await client.askAnything('awareness:update', { sessionId, awarenessId: '1', clock: 1, state: payload }),
    ).toEqual(refused('BAD_REQUEST'));
    client.close();
  });

  test('a Yjs session takes Yjs updates only', async () => {
    const client = await joined();
    const [update = ''] = yjsUpdates('x');
    for (const operation of [
      1,
      null,
      {},
      'AAAA!',
      update.slice(0, 9),
      `${update}\n`,
      Buffer.from('garbage').toString('base64'),
      '',
      ['AAA='],
    ]) {
      const submit = { sessionId: yjsSessionId, clientSeq: 1, operations: [update, operation] };
      expect(await client.askAnything('operation:submit', submit)).toEqual(refused('BAD_REQUEST'));
    }
    client.close();
  });

  test('[EO10] oversized operations and batches are TOO_LARGE', async () => {
    const client = await joined();
    for (const operations of [
      ['x'.repeat(1_048_576)],
      ['x'.repeat(3_000_000)],
      Array.from({ length: 257 }, () => 1),
      Array.from({ length: 1_000_000 }, () => 1),
    ]) {
      expect(await client.askAnything('operation:submit', { sessionId, clientSeq: 1, operations })).toEqual(
        refused('TOO_LARGE'),
      );
    }
    client.close();
  });
});

describe('who is not who they say', () => {
  const submit = { clientSeq: 1, operations: ['forged'] };

  test('forged client ids are CLIENT_INVALID, and take nothing from the real client', async () => {
    const ada = await server.connect({ user: 'ada' });
    const real = (await ada.demand('session:join', { sessionId })).client;
    const elsewhere = (await ada.demand('session:join', { sessionId: yjsSessionId })).client;
    const [sameUser, mallory] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'mallory' })];
    const own = (await mallory.demand('session:join', { sessionId })).client;
    const attempts: Array<[string, WireClient, { clientId: string; signature: string }]> = [
      ["another user's", mallory, real],
      ["another session's", sameUser, elsewhere],
      ["one's own signature under another's id", mallory, { clientId: real.clientId, signature: own.signature }],
      ["another's signature under one's own id", mallory, { clientId: own.clientId, signature: real.signature }],
      ['no signature', sameUser, { clientId: real.clientId, signature: '' }],
      ['a cut signature', sameUser, { clientId: real.clientId, signature: real.signature.slice(0, -1) }],
      ['a longer signature', sameUser, { clientId: real.clientId, signature: `${real.signature}A` }],
      [
        'a changed signature',
        sameUser,
        {
          clientId: real.clientId,
          signature: `${real.signature.startsWith('A') ? 'B' : 'A'}${real.signature.slice(1)}`,
        },
      ],
      ['a chosen id', sameUser, { clientId: 'i-am-ada', signature: real.signature }],
      ['of other characters', sameUser, { clientId: real.clientId, signature: 'ü'.repeat(real.signature.length) }],
    ];
    for (const [what, client, { clientId, signature }] of attempts) {
      const answer = await client.ask('session:join', { sessionId, client: { clientId, signature } });
      expect({ what, answer }).toEqual({ what, answer: refused('CLIENT_INVALID') });
    }
    // Mallory is still in as what she is; the other connection of Ada's never got in; Ada is still Ada.
    expect(await sameUser.refusal('operation:submit', { sessionId, ...submit })).toMatchObject({ code: 'NOT_JOINED' });
    expect(ada.all('session:closed')).toEqual([]);
    await ada.demand('operation:catch-up', { sessionId, after: reader.head });
    for (const client of [ada, sameUser, mallory]) client.close();
  });

  test('a name cannot be made to look like another user and session together', async () => {
    const tricky = await server.connect({ user: 'a' });
    await tricky.demand('session:join', { sessionId });
    const { client } = await tricky.demand('session:join', { sessionId });
    const other = await server.connect({ user: 'a ' });
    expect(
      await other.ask('session:join', {
        sessionId,
        client: { clientId: client.clientId, signature: client.signature },
      }),
    ).toEqual(refused('CLIENT_INVALID'));
    for (const one of [tricky, other]) one.close();
  });

  test('every request for a session that was not joined is refused', async () => {
    const eve = await server.connect({ user: 'eve' });
    const names = [
      'session:leave',
      'session:snapshot',
      'operation:submit',
      'operation:catch-up',
      'awareness:update',
    ] as const;
    for (const unknown of ['nobody', '__proto__', 'constructor', 'toString', '...', '~']) {
      expect(await eve.ask('session:join', { sessionId: unknown })).toEqual(refused('SESSION_NOT_FOUND'));
      for (const name of names) {
        const body = { ...good()[name], sessionId: unknown };
        expect({ name, answer: await eve.askAnything(name, body) }).toEqual({ name, answer: refused('NOT_JOINED') });
      }
    }
    for (const name of names) {
      expect({ name, answer: await eve.askAnything(name, good()[name]) }).toEqual({
        name,
        answer: refused('NOT_JOINED'),
      });
    }
    eve.close();
  });
});

describe('unknown events and missing acknowledgements', () => {
  test('an event that does not exist is BAD_REQUEST', async () => {
    const client = await server.connect();
    for (const name of [
      'no:such-event',
      '',
      'SESSION:JOIN',
      'session:join ',
      '__proto__',
      'constructor',
      'toString',
      'error',
      'x'.repeat(100_000),
    ]) {
      expect(await client.askAnything(name, {})).toEqual(refused('BAD_REQUEST'));
      expect(await client.askAnything(name)).toEqual(refused('BAD_REQUEST'));
    }
    client.close();
  });

  test('what the server says itself is no request', async () => {
    const client = await joined();
    for (const name of ['operation:batch', 'session:closed', 'server:draining']) {
      expect(await client.askAnything(name, { sessionId })).toEqual(refused('BAD_REQUEST'));
    }
    client.close();
  });

  test('bad requests without an acknowledgement are dropped in silence', async () => {
    const client = await joined();
    for (const name of Object.keys(requests)) {
      client.socket.emit(name);
      client.socket.emit(name, null);
      client.socket.emit(name, { sessionId: 7 }, 'not an acknowledgement');
    }
    client.socket.emit('no:such-event', 1, 2, 3);
    await client.fence();
    expect(client.socket.connected).toBe(true);
    client.close();
  });

  test('a request has one body, and is answered also when there is more', async () => {
    const client = await joined();
    for (const more of [[{ sessionId }], [null], ['and', 'more'], Array.from({ length: 1_000 }, () => 1)]) {
      expect(await client.askAnything('session:leave', { sessionId }, ...more)).toEqual(refused('BAD_REQUEST'));
    }
    await client.demand('session:leave', { sessionId });
    client.close();
  });
});
