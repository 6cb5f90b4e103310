import { FlowClient } from '../../src/client/flow-client';
import type { FlowSession } from '../../src/client/session';
import { health, historyReply, live, readiness, sessionList } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { ask, post, Processes, type ServerProcess } from '../support/server-process';
import { readStore } from '../support/server-process-kills';
import { media, type SmallStore } from '../support/server-process-media';

const processes = new Processes();
const clients: FlowClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await processes.clean();
});

/** The least the library's own batches allow. */
const MAX_UNSAVED_BYTES = 2_097_152;
const ENV = { MAX_UNSAVED_BYTES: String(MAX_UNSAVED_BYTES), SAVE_STALL_MS: '300', LOG_LEVEL: 'info' };
/** About a page of the store each. */
const TEXT = 'x'.repeat(4_000);
const BACKOFF = { firstMs: 20, ceilingMs: 200 };

function connect(server: ServerProcess, user: string): FlowClient {
  const client = new FlowClient({ url: server.url, token: user, backoff: BACKOFF });
  clients.push(client);
  return client;
}

const numberIn = (operation: unknown): number =>
  typeof operation === 'object' && operation !== null && 'number' in operation ? Number(operation.number) : Number.NaN;

/** Of one batch: what is acknowledged together. */
const BATCH = 8;

/** An editor that writes one batch after the other. */
class Writer {
  readonly session: FlowSession;
  written = 0;

  constructor(session: FlowSession) {
    this.session = session;
  }

  /** Resolves when the batch is ordered (true) or the server takes no more (false). */
  async write(): Promise<boolean> {
    const operations = Array.from({ length: BATCH }, (_, index) => ({ number: this.written + index + 1, text: TEXT }));
    this.written += BATCH;
    const receipt = this.session.submit(operations);
    return Promise.race([receipt.whenOrdered().then(() => true), this.#refused().then(() => false)]);
  }

  #refused(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.session.on('status', (status) => {
        if (status.state !== 'saving' || status.delayedBy?.code !== 'STORE_UNAVAILABLE') return;
        stop();
        resolve();
      });
    });
  }
}

/** Numbers of the operations in the order in which they came. */
function numbersSeenBy(session: FlowSession): number[] {
  const seen: number[] = [];
  session.on('entries', ({ entries }) => {
    for (const { operations } of entries) seen.push(...operations.map(numberIn));
  });
  return seen;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Writes until the server takes no more; the writer goes on holding what was refused. */
async function fill(store: SmallStore): Promise<{ writer: Writer; seen: number[]; sessionId: string }> {
  const { server } = store;
  const author = connect(server, 'ada');
  const { sessionId } = await author.createSession({ format: 'json', title: 'Filled' });
  const reader = connect(server, 'bob').session(sessionId);
  const seen = numbersSeenBy(reader);
  const writer = new Writer(author.session(sessionId));
  await Promise.all([writer.session.join(), reader.join()]);
  while (await writer.write()) {
    // The room and the bound are finite.
  }
  await eventually('the reader has everything that is ordered', () => reader.head.seq === writer.session.head.seq);
  return { writer, seen, sessionId };
}

describe.each(media)('with $name', (medium) => {
  test('[ST7] [EO10] edits flow until the bound and are then refused, `saved` stands still, and all is saved when there is room', async () => {
    const store = await medium.start(processes, ENV);
    const { url } = store.server;
    const { writer, seen, sessionId } = await fill(store);
    const { session } = writer;

    // Far more was ordered than there was room for, and then no more than the bound allows.
    const savedSeq = session.savedMark.seq;
    const ordered = session.head.seq;
    expect(savedSeq).toBeGreaterThan(0);
    expect((ordered - savedSeq) * TEXT.length).toBeGreaterThan(MAX_UNSAVED_BYTES * 0.8);
    expect((ordered - savedSeq) * TEXT.length).toBeLessThanOrEqual(MAX_UNSAVED_BYTES);
    expect(seen).toEqual(upTo(ordered));
    expect(session.counts.unsent).toBe(writer.written - ordered);

    // Whoever asks is told why.
    await eventually('readiness fails', async () => {
      const { status, body } = await ask(`${url}/health/ready`, readiness);
      expect(status).toBe(503);
      expect(body.reasons).toEqual([
        expect.objectContaining({
          code: 'saving-stalled',
          unsavedSessions: 1,
          failure: expect.stringMatching(medium.reason),
        }),
      ]);
    });
    const { status, body } = await ask(`${url}/health`, health);
    expect(status).toBe(503);
    expect(body).toMatchObject({
      status: 'unavailable',
      store: { kind: 'lmdb', status: 'stalled', failure: expect.stringMatching(medium.reason) },
    });
    expect((await ask(`${url}/health/live`, live)).status).toBe(200);

    // Writing is refused, whoever asks.
    const more = Array.from({ length: 2 * BATCH }, () => TEXT);
    const append = await post(`${url}/api/sessions/${sessionId}/operations`, { clientSeq: 1, operations: more });
    expect(append).toMatchObject({ status: 503, error: { code: 'STORE_UNAVAILABLE', action: 'wait' } });
    expect(append.error?.retryAfterMs).toBeGreaterThan(0);

    // Reading goes on, of what is saved and of what is not.
    const listed = await ask(`${url}/api/sessions`, sessionList, 'ada');
    expect(listed.body.sessions.map(({ title }) => title)).toEqual(['Filled']);
    expect(await historyOf(url, sessionId)).toEqual(upTo(ordered));
    const document = await fetch(`${url}/api/sessions/${sessionId}/document?as=json`);
    expect(document.status).toBe(200);
    const latecomer = connect(store.server, 'eve').session(sessionId);
    const seenLate = numbersSeenBy(latecomer);
    await latecomer.join();
    expect(seenLate).toEqual(upTo(ordered));

    // All that took a while, and nothing more was saved or ordered.
    expect(session.savedMark.seq).toBe(savedSeq);
    expect(latecomer.head.seq).toBe(ordered);

    await store.giveRoom();
    await session.whenSaved();
    await eventually('the server is ready again', async () => {
      expect(await ask(`${url}/health/ready`, readiness)).toEqual({ status: 200, body: { ready: true, reasons: [] } });
    });
    expect((await post(`${url}/api/sessions`, {})).status).toBe(201);
    expect(await writer.write()).toBe(true);
    await session.whenSaved();
    await eventually('the reader has everything', () => seen.length >= writer.written);
    expect(seen).toEqual(upTo(writer.written));

    expect(await store.server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await storedNumbers(store, sessionId)).toEqual(upTo(writer.written));
  });

  test('[ST3] [EO2] killed while there is no room and started again with room: everything is there once', async () => {
    const store = await medium.start(processes, ENV);
    const { writer, seen, sessionId } = await fill(store);
    const saved = writer.session.savedMark.seq;
    await store.server.end('SIGKILL');
    expect(await storedNumbers(store, sessionId)).toEqual(expect.arrayContaining(upTo(saved)));

    const server = await store.restart();
    await writer.session.whenSaved();
    // What was delivered and never saved is taken back, and comes again.
    await eventually('the reader has everything', () => new Set(seen).size === writer.written);
    expect(await historyOf(server.url, sessionId)).toEqual(upTo(writer.written));
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await storedNumbers(store, sessionId)).toEqual(upTo(writer.written));
  });
});

async function storedNumbers({ documents }: SmallStore, sessionId: string): Promise<number[]> {
  const stored = await readStore(documents, sessionId);
  return stored.flatMap(({ operations }): unknown[] => JSON.parse(operations)).map(numberIn);
}

async function historyOf(url: string, sessionId: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let next: number | null = 0; next !== null; ) {
    const page: { body: { entries: Array<{ operations: unknown[] }>; next: number | null } } = await ask(
      `${url}/api/sessions/${sessionId}/operations?after=${next}`,
      historyReply,
    );
    numbers.push(...page.body.entries.flatMap(({ operations }) => operations.map(numberIn)));
    next = page.body.next;
  }
  return numbers;
}
