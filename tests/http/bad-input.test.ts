import { once } from 'node:events';
import http from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import request from 'supertest';
import type { EndpointName } from '../../src/http/endpoints';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import type { ErrorCode } from '../../src/protocol/errors';
import { startServer, type TestServer } from '../support/server';
import { call, createSession, errorOf, expectRefusal, type CallOptions, yjsOperations } from './support';

const SESSION = 'victim';
const params = { sessionId: SESSION };
const [operation] = yjsOperations((doc) => doc.getText('content').insert(0, 'x'));
const sound = { clientSeq: 1, operations: [operation] };
const deep = `${'['.repeat(200)}${']'.repeat(200)}`;

interface Case {
  readonly what: string;
  readonly name: EndpointName;
  readonly options: CallOptions;
  readonly code: ErrorCode;
}

const refused = (what: string, name: EndpointName, options: CallOptions, code: ErrorCode = 'BAD_REQUEST'): Case => ({
  what,
  name,
  options,
  code,
});

const CASES: readonly Case[] = [
  refused('JSON that is cut off', 'createSession', { body: '{"title":' }),
  refused('JSON that is no object', 'createSession', { body: '"title"' }),
  refused('an array for a body', 'createSession', { body: '[]' }),
  refused('null for a body', 'createSession', { body: 'null' }),
  refused('NaN in JSON', 'appendOperations', { params, body: '{"clientSeq":NaN,"operations":["x"]}' }),
  refused('a charset nobody has', 'createSession', {
    body: '{}',
    headers: { 'Content-Type': 'application/json; charset=klingon' },
  }),
  refused('a compression nobody has', 'createSession', { body: '{}', headers: { 'Content-Encoding': 'zip' } }),
  refused('a body that is no JSON by its type', 'createSession', {
    body: 'title=x',
    headers: { 'Content-Type': 'text/plain' },
  }),
  refused('a title of a megabyte', 'createSession', { body: { title: 'x'.repeat(1_048_576) } }, 'TOO_LARGE'),
  refused('a title a little too long', 'createSession', { body: { title: 'x'.repeat(257) } }),
  refused('a title that is no text', 'createSession', { body: { title: { toString: 'x' } } }),
  refused('a field that is not known', 'createSession', { body: { titel: 'x' } }),
  refused('a field with a very long name', 'createSession', { body: { ['x'.repeat(10_000)]: 1 } }),
  refused('__proto__ in the body', 'createSession', { body: '{"__proto__":{"title":"x"}}' }),
  refused('constructor in the body', 'createSession', { body: '{"constructor":{"prototype":{"title":"x"}}}' }),
  refused('a format that is not known', 'createSession', { body: { format: 'docx' } }),
  refused('a session id with a slash', 'createSession', { body: { sessionId: 'a/b' } }),
  refused('a session id of 1,000 characters', 'createSession', { body: { sessionId: 'x'.repeat(1_000) } }),
  refused('a session id that is another path', 'createSession', { body: { sessionId: '..' } }),
  refused('a session id that is no path', 'createSession', { body: { sessionId: '.' } }),
  refused('an empty session id', 'createSession', { body: { sessionId: '' } }),
  refused('a session id that exists', 'createSession', { body: { sessionId: SESSION } }, 'SESSION_EXISTS'),
  refused('a slash in the path', 'readSession', { params: { sessionId: 'a/b' } }),
  refused('1,000 characters in the path', 'readSession', { params: { sessionId: 'x'.repeat(1_000) } }),
  refused('a NUL in the path', 'readSession', { params: { sessionId: 'a\u0000b' } }),
  refused('a session that is not there', 'readSession', { params: { sessionId: 'nobody' } }, 'SESSION_NOT_FOUND'),
  refused('__proto__ for a session', 'readSession', { params: { sessionId: '__proto__' } }, 'SESSION_NOT_FOUND'),
  refused(
    'an operation for a session that is not there [EO9]',
    'appendOperations',
    {
      params: { sessionId: 'nobody' },
      body: sound,
    },
    'SESSION_NOT_FOUND',
  ),
  refused('a rename without a title', 'renameSession', { params, body: {} }),
  refused('a rename without a body', 'renameSession', { params }),
  refused('a query parameter that is not known', 'readSession', { params, query: { verbose: 'yes' } }),
  refused('a limit that is no number', 'listSessions', { query: { limit: 'NaN' } }),
  refused('a limit of 0', 'listSessions', { query: { limit: 0 } }),
  refused('a limit of 1e9', 'listSessions', { query: { limit: '1e9' } }),
  refused('a negative seq', 'readHistory', { params, query: { after: -1 } }),
  refused('a seq of 2^53', 'readHistory', { params, query: { after: '9007199254740992' } }),
  refused('a seq of NaN', 'readHistory', { params, query: { after: 'NaN' } }),
  refused('a form the document does not have', 'readDocument', { params, query: { as: 'docx' } }),
  refused('a field name of 1,000 characters', 'readDocument', { params, query: { field: 'x'.repeat(1_000) } }),
  refused('no operations', 'appendOperations', { params, body: { clientSeq: 1, operations: [] } }),
  refused('operations that are no list', 'appendOperations', { params, body: { clientSeq: 1, operations: operation } }),
  refused('a ref, which only sockets have', 'appendOperations', { params, body: { ...sound, ref: 1 } }),
  refused('clientSeq 0', 'appendOperations', { params, body: { ...sound, clientSeq: 0 } }),
  refused('clientSeq 1.5', 'appendOperations', { params, body: { ...sound, clientSeq: 1.5 } }),
  refused('clientSeq 2^53', 'appendOperations', { params, body: { ...sound, clientSeq: 2 ** 53 } }),
  refused('clientSeq 1e400', 'appendOperations', { params, body: '{"clientSeq":1e400,"operations":["AAA="]}' }),
  refused('clientSeq as text', 'appendOperations', { params, body: { ...sound, clientSeq: '1' } }),
  refused('clientSeq 2 of a client that does not exist yet', 'appendOperations', {
    params,
    body: { ...sound, clientSeq: 2 },
  }),
  refused('an operation that is no base64', 'appendOperations', { params, body: { ...sound, operations: ['%%%'] } }),
  refused('an operation that is no Yjs update', 'appendOperations', {
    params,
    body: { ...sound, operations: ['////'] },
  }),
  refused('an operation that is no text', 'appendOperations', {
    params,
    body: { ...sound, operations: [{ insert: 'x' }] },
  }),
  refused('a base that is no mark', 'appendOperations', { params, body: { ...sound, base: { seq: 0, tag: 'zzz' } } }),
  refused(
    'a base the document is not at [EO4]',
    'appendOperations',
    {
      params,
      body: { ...sound, base: { seq: 7, tag: '0123456789abcdef' } },
    },
    'STALE_BASE',
  ),
  refused(
    'a signature that is not ours',
    'appendOperations',
    {
      params,
      body: { ...sound, client: { clientId: 'mallory', signature: 'x' } },
    },
    'CLIENT_INVALID',
  ),
  refused('__proto__ in the credentials', 'appendOperations', {
    params,
    body: `{"clientSeq":1,"operations":["${operation}"],"client":{"__proto__":{"clientId":"a","signature":"b"}}}`,
  }),
  refused(
    'a batch of 257 operations [EO10]',
    'appendOperations',
    {
      params,
      body: { clientSeq: 1, operations: Array.from({ length: 257 }, () => operation) },
    },
    'TOO_LARGE',
  ),
  refused(
    'an operation of two megabytes [EO10]',
    'appendOperations',
    {
      params,
      body: { clientSeq: 1, operations: ['A'.repeat(2_097_152)] },
    },
    'TOO_LARGE',
  ),
  refused(
    'a body of ten megabytes',
    'appendOperations',
    {
      params,
      body: { clientSeq: 1, operations: ['A'.repeat(10_485_760)] },
    },
    'TOO_LARGE',
  ),
  refused('__proto__ in an operation', 'appendOperations', {
    params: { sessionId: 'json' },
    body: '{"clientSeq":1,"operations":[{"__proto__":{"isAdmin":true}}]}',
  }),
  refused('an operation nested 200 levels deep', 'appendOperations', {
    params: { sessionId: 'json' },
    body: `{"clientSeq":1,"operations":[${deep}]}`,
  }),
  refused('a json session as text', 'readDocument', { params: { sessionId: 'json' }, query: { as: 'text' } }),
  refused('a json session as a Yjs update', 'readDocument', { params: { sessionId: 'json' }, query: { as: 'update' } }),
];

describe('bad input', () => {
  let server: TestServer;
  const store = new MemoryDocumentStore();

  beforeAll(async () => {
    server = await startServer({ store, isLimited: false });
    await createSession(server, { sessionId: SESSION, title: 'Sound' });
    await createSession(server, { sessionId: 'json', format: 'json' });
  });
  afterAll(() => server.stop());

  test.each(CASES)('$what is refused with $code', async ({ name, options, code }) => {
    const error = await expectRefusal(call(server, name, options), code);
    expect(error.message.length).toBeLessThanOrEqual(300);
    expect(JSON.stringify(error)).not.toMatch(/node_modules|\.ts:|at Object/);
  });

  test.each(['limit=1&limit=2', '__proto__=x', '__proto__[limit]=1', 'limit[]=1', 'limit='])(
    'the query %s is refused',
    async (query) => {
      const response = await request(server.url).get(`/api/sessions?${query}`);
      expect([response.status, errorOf(response).code]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  test.each([
    '/api/sessions/%',
    '/api/sessions/%ZZ',
    '/api/sessions/%C0%80',
    '/api/sessions/%2e%2e',
    '/api/sessions/%00',
  ])('the path %s is refused', async (path) => {
    const response = await request(server.url).get(path);
    expect([response.status, errorOf(response).code]).toEqual([400, 'BAD_REQUEST']);
  });

  test('an address with a port that is none is refused', async () => {
    const { hostname, port } = new URL(server.url);
    const asked = http.request({ hostname, port, path: 'http://a:99999999/api/sessions' }).end();
    const [response] = (await once(asked, 'response')) as [http.IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(400);
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('a small body that %s makes a hundred megabytes of is refused with TOO_LARGE', async (encoding, pack) => {
    const post = async (text: Buffer): Promise<number> => {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      const body = new Uint8Array(pack(text));
      expect(body.length).toBeLessThan(200_000);
      return (await fetch(`${server.url}/api/sessions`, { method: 'POST', headers, body })).status;
    };
    expect(await post(Buffer.alloc(100_000_000, ' '))).toBe(413);
    // The control: what is refused is the size, not the packing.
    expect(await post(Buffer.from('{"sessionId":"victim"}'))).toBe(409);
  });

  test.each([
    ['readHistory', 'after', '-1', 'after: Too small: expected number to be >=0'],
    ['readHistory', 'after', 'soon', 'after: must be a whole number'],
    ['readHistory', 'limit', '', 'limit: must be a whole number'],
    ['listSessions', 'limit', '1.5', 'limit: must be a whole number'],
    ['listSessions', 'limit', '201', 'limit: Too big: expected number to be <=200'],
  ] as const)('%s says what is wrong with %s=%s', async (name, parameter, value, message) => {
    const error = await expectRefusal(call(server, name, { params, query: { [parameter]: value } }), 'BAD_REQUEST');
    expect(error.message).toBe(message);
  });

  test('a bearer token that is none is refused', async () => {
    const asked = call(server, 'listSessions', { headers: { Authorization: 'Basic YW5uOnNlY3JldA==' } });
    expect((await asked).headers['www-authenticate']).toBe('Bearer');
    await expectRefusal(asked, 'UNAUTHENTICATED');
    await expectRefusal(call(server, 'listSessions', { as: 'x'.repeat(1_000) }), 'UNAUTHENTICATED');
  });

  test('nothing of all that was stored', async () => {
    const sessions = await store.sessionRecords.list({ limit: 100 });
    expect(sessions.map(({ sessionId, title }) => [sessionId, title])).toEqual([
      ['json', 'Untitled'],
      [SESSION, 'Sound'],
    ]);
    for (const sessionId of [SESSION, 'json']) {
      expect((await call(server, 'readHistory', { params: { sessionId } })).body).toMatchObject({
        entries: [],
        head: 0,
      });
      expect(await store.operationLog.head(sessionId)).toMatchObject({ seq: 0 });
    }
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
    // The control: what is sound is stored.
    const appended = await call(server, 'appendOperations', { params, body: sound });
    expect(appended.body).toMatchObject({ seq: 1 });
  });
});
