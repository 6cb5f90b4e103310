import { get } from 'node:http';
import { Writable } from 'node:stream';
import request from 'supertest';
import * as Y from 'yjs';
import type { Entry } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import { follow } from '../../src/http/followed';
import { createLogger } from '../../src/lib/logger';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { chain } from '../support/entries';
import { eventually } from '../support/eventually';
import { startServer, type TestServer } from '../support/server';
import { call, createSession, expectRefusal, yjsOperations } from './support';

describe('the document', () => {
  const store = new MemoryDocumentStore();
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({ store });
  });
  afterAll(() => server.stop());

  const append = async (sessionId: string, operations: readonly unknown[]) => {
    const response = await call(server, 'appendOperations', {
      params: { sessionId },
      body: { clientSeq: 1, operations },
    });
    expect(response.status).toBe(200);
    return response.body as { seq: number };
  };

  test('comes as text, as JSON and as a Yjs update, each with its position', async () => {
    const sessionId = await createSession(server);
    const params = { sessionId };
    const doc = new Y.Doc();
    await append(
      sessionId,
      yjsOperations(() => doc.getText('content').insert(0, 'žluťoučký 🐴'), doc),
    );
    const { seq } = await append(
      sessionId,
      yjsOperations(() => doc.getText('content').insert(0, '<b>'), doc),
    );

    const text = await call(server, 'readDocument', { params, query: { as: 'text' } });
    expect(text.text).toBe('<b>žluťoučký 🐴');
    expect(text.type).toBe('text/plain');
    expect(text.headers['flow-seq']).toBe(String(seq));
    expect((await call(server, 'readDocument', { params })).text).toBe(text.text);

    const json = await call(server, 'readDocument', { params, query: { as: 'json' } });
    expect(json.body).toEqual({
      head: { seq, tag: text.headers['flow-tag'] },
      field: 'content',
      content: '<b>žluťoučký 🐴',
    });

    const update = await call(server, 'readDocument', { params, query: { as: 'update' } }).then(
      ({ body }) => body as Buffer,
    );
    const copy = new Y.Doc();
    Y.applyUpdate(copy, update);
    expect(copy.getText('content').toJSON()).toBe('<b>žluťoučký 🐴');
  });

  test('its position is the base of an append [EO4]', async () => {
    const sessionId = await createSession(server, { format: 'json' });
    const params = { sessionId };
    await append(sessionId, [1]);
    const { head } = (await call(server, 'readDocument', { params })).body as { head: { seq: number; tag: string } };
    const body = { clientSeq: 1, operations: [2], base: head };
    expect((await call(server, 'appendOperations', { params, body })).body).toMatchObject({ seq: 2 });
    const error = await expectRefusal(call(server, 'appendOperations', { params, body }), 'STALE_BASE');
    expect(error.head).toMatchObject({ seq: 2 });
  });

  test('names another field when asked, and an empty one has nothing', async () => {
    const sessionId = await createSession(server);
    await append(
      sessionId,
      yjsOperations((doc) => doc.getText('title').insert(0, 'hello')),
    );
    const read = (field: string) => call(server, 'readDocument', { params: { sessionId }, query: { field } });
    expect((await read('title')).text).toBe('hello');
    expect((await read('content')).text).toBe('');
    expect((await read('"/ü\n')).text).toBe('');
  });

  test('of an XmlFragment has its text and its tree', async () => {
    const sessionId = await createSession(server);
    const operations = yjsOperations((doc) => {
      const paragraph = new Y.XmlElement('paragraph');
      paragraph.insert(0, [new Y.XmlText('one')]);
      doc.getXmlFragment('content').insert(0, [paragraph]);
    });
    await append(sessionId, operations);
    expect((await call(server, 'readDocument', { params: { sessionId } })).text.trim()).toBe('one');
    const json = await call(server, 'readDocument', { params: { sessionId }, query: { as: 'json' } });
    expect(JSON.stringify((json.body as { content: unknown }).content)).toContain('"paragraph"');
  });

  test('is not sent again to who has it', async () => {
    const sessionId = await createSession(server);
    const params = { sessionId };
    await append(
      sessionId,
      yjsOperations((doc) => doc.getText('content').insert(0, 'a')),
    );
    const etag = (await call(server, 'readDocument', { params })).headers['etag'] ?? '';
    const headers = { 'If-None-Match': etag };
    expect((await call(server, 'readDocument', { params, headers })).status).toBe(304);
    expect((await call(server, 'readDocument', { params, headers, query: { as: 'json' } })).status).toBe(200);
    await append(
      sessionId,
      yjsOperations((doc) => doc.getText('content').insert(0, 'b')),
    );
    expect((await call(server, 'readDocument', { params, headers })).status).toBe(200);
  });

  test('of a json session is its snapshot and everything after it', async () => {
    const sessionId = await createSession(server, { format: 'json' });
    const params = { sessionId };
    expect((await call(server, 'readDocument', { params })).body).toEqual({
      snapshot: null,
      operations: [],
      head: GENESIS,
    });
    await append(sessionId, [{ insert: 'a' }, { insert: 'b' }]);
    await append(sessionId, ['c', null, [1, { x: '],[' }]]);
    const before = (await call(server, 'readDocument', { params, query: { as: 'json' } })).body as {
      head: { seq: number; tag: string };
    };
    expect(before).toEqual({
      snapshot: null,
      operations: [{ insert: 'a' }, { insert: 'b' }, 'c', null, [1, { x: '],[' }]],
      head: { seq: 5, tag: expect.stringMatching(/^[0-9a-f]{16}$/) },
    });

    // A snapshot at the head, as a client would provide one.
    const payload = Buffer.from('{"text":"abc"}');
    await eventually('the head is stored', () => store.snapshots.put(sessionId, { at: before.head, payload }));
    await append(sessionId, ['d']);
    expect((await call(server, 'readDocument', { params })).body).toEqual({
      snapshot: { ...before.head, payload: { text: 'abc' } },
      operations: ['d'],
      head: { seq: 6, tag: expect.any(String) },
    });
  });

  test('of a json session may be larger than what is held at once', async () => {
    const sessionId = await createSession(server, { format: 'json' });
    const text = 'x'.repeat(500_000);
    for (let part = 0; part < 8; part += 1) await append(sessionId, [{ part, text }]);
    const response = await call(server, 'readDocument', { params: { sessionId } });
    const { operations, head } = response.body as { operations: Array<{ part: number }>; head: { seq: number } };
    expect(response.headers['transfer-encoding']).toBe('chunked');
    expect(operations.map(({ part }) => part)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(head.seq).toBe(8);
    expect((await request(server.url).head(`/api/sessions/${sessionId}/document`)).status).toBe(200);
  });
});

test('a caller who goes away in the middle of a document disturbs nobody', async () => {
  const lines: string[] = [];
  const log = createLogger(
    { level: 'debug', instanceId: 'test' },
    new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) }),
  );
  const server = await startServer({ log });
  // What it says while it starts is another matter.
  lines.length = 0;
  try {
    const sessionId = await createSession(server, { format: 'json' });
    const operations = ['x'.repeat(900_000), 'y'.repeat(900_000)];
    for (let part = 0; part < 8; part += 1) {
      await call(server, 'appendOperations', { params: { sessionId }, body: { clientSeq: 1, operations } });
    }
    await new Promise<void>((resolve, reject) => {
      const asked = get(`${server.url}/api/sessions/${sessionId}/document`, (response) => {
        response.once('data', () => response.destroy());
        response.once('close', resolve);
      });
      asked.once('error', reject);
    });
    await eventually('the server noticed', () => lines.some((line) => line.includes('an answer broke off')));
    expect(lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 40)).toEqual([]);
    expect((await call(server, 'readSession', { params: { sessionId } })).status).toBe(200);
  } finally {
    await server.stop();
  }
});

describe('following pages of history', () => {
  const collect = async (pages: ReadonlyArray<readonly Entry[]>) => {
    const followed = follow(
      GENESIS,
      (async function* () {
        yield* pages;
      })(),
    );
    for await (const page of followed) void page;
    return followed.at;
  };
  const entries = chain(6);

  test('says where the last one ended', async () => {
    expect(await collect([entries.slice(0, 2), entries.slice(2)])).toMatchObject({ seq: 6, tag: entries[5]?.tag });
    expect(await collect([])).toEqual(GENESIS);
  });

  test('gives everybody else a turn between two pages, also when the store answers at once', async () => {
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    await collect(chain(50).map((entry) => [entry]));
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(50);
  });

  test('[EO8] a hole is never skipped: who reads is asked to read again', async () => {
    await expect(collect([entries.slice(0, 2), entries.slice(3)])).rejects.toMatchObject({ code: 'BUSY' });
    await expect(collect([entries.slice(1)])).rejects.toMatchObject({ code: 'BUSY' });
    const others = chain(6, { clientId: 'other' });
    await expect(collect([entries.slice(0, 2), others.slice(2)])).rejects.toMatchObject({ code: 'BUSY' });
  });
});
