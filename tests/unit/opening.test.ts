import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OlderStores } from '../../src/live/older-stores';
import { openSession } from '../../src/live/opening';
import { HotLogFiles, readHotLogFile } from '../../src/ordering/hot-log-file';
import type { EventOrdering, Submission } from '../../src/ordering/event-ordering';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Position } from '../../src/protocol/positions';
import type { OperationLog } from '../../src/storage/operation-log';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { chain, entryAfter } from '../support/entries';
import { logLines, type LogLine } from '../support/log-lines';
import { ManualClock } from '../support/manual-clock';
import { temporaryDirectory } from '../support/stores';

const ID = 's';
/** A level of pino's. */
const ERROR = 50;

let ordering: MemoryEventOrdering;
let operationLog: OperationLog;
let olderStores: OlderStores | null;
let rescues: number;

const rescue = async (): Promise<void> => {
  rescues += 1;
};

beforeEach(async () => {
  ordering = new MemoryEventOrdering({ clock: new ManualClock(), scope: 'shared' });
  operationLog = await storeWith([]);
  olderStores = null;
  rescues = 0;
});

const RECORD = {
  sessionId: ID,
  title: '',
  format: 'json',
  createdBy: 'u',
  link: 'none',
  createdAt: 0,
  updatedAt: 0,
} as const;

/** A store that has a session with these entries, at epoch 1. */
async function storeWith(entries: readonly Entry[]): Promise<OperationLog> {
  const store = new MemoryDocumentStore();
  await store.sessionRecords.create(RECORD);
  await store.operationLog.openEpoch(ID, 0, 0);
  await store.operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
  return store.operationLog;
}

/** Puts entries into the hot log, one operation each. */
async function append(texts: readonly string[], epoch = 1): Promise<Entry[]> {
  await ordering.admit(ID, epoch, 'a', null);
  const entries: Entry[] = [];
  for (const text of texts) {
    const { lastClientSeq } = (await ordering.admit(ID, epoch, 'a', null)) as { lastClientSeq: number };
    const submission: Submission = {
      epoch,
      clientId: 'a',
      userId: 'u',
      firstClientSeq: lastClientSeq + 1,
      count: 1,
      operations: JSON.stringify([text]),
    };
    const result = await ordering.append(ID, submission);
    if (result.status !== 'accepted') throw new Error(result.status);
    entries.push(result.entry);
  }
  return entries;
}

const open = () => openSession({ ordering, olderStores, operationLog }, ID, { rescue });
const hotLog = async () => (await ordering.describe([ID]))[0];
const last = (entries: readonly Entry[]): Entry => entries[entries.length - 1] ?? entryAfter({});

describe('[ST4] opening a session', () => {
  test('that does not exist is refused', async () => {
    await expect(openSession({ ordering, olderStores, operationLog }, 'nobody', { rescue })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
    expect(await ordering.describe(['nobody'])).toEqual([null]);
  });

  test('no hot log: a new epoch, and an empty hot log at the stored head', async () => {
    const stored = chain(3);
    operationLog = await storeWith(stored);
    const head = markOf(last(stored));
    expect(await open()).toEqual({ epoch: 2, head, saved: head });
    expect(await hotLog()).toEqual({ epoch: 2, head, saved: head, floor: 3 });
    expect(await operationLog.head(ID)).toEqual({ epoch: 2, ...head });
  });

  test('a session that was never opened begins with epoch 1', async () => {
    const store = new MemoryDocumentStore();
    await store.sessionRecords.create(RECORD);
    expect(await openSession({ ordering, olderStores, operationLog: store.operationLog }, ID)).toEqual({
      epoch: 1,
      head: GENESIS,
      saved: GENESIS,
    });
  });

  test('a hot log of an older epoch than the store is replaced, not merged', async () => {
    await ordering.seed(ID, 1, GENESIS);
    await append(['stale', 'stale too']);
    await operationLog.openEpoch(ID, 1, 4);
    expect(await open()).toEqual({ epoch: 6, head: GENESIS, saved: GENESIS });
    expect(await hotLog()).toMatchObject({ epoch: 6, head: GENESIS });
  });

  test('a hot log that continues the store is adopted with its unsaved entries; no epoch is opened', async () => {
    await ordering.seed(ID, 1, GENESIS);
    const entries = await append(['a', 'b', 'c']);
    await operationLog.save([{ sessionId: ID, epoch: 1, entries: entries.slice(0, 1) }]);
    expect(await open()).toEqual({
      epoch: 1,
      head: markOf(last(entries)),
      saved: expect.objectContaining(markOf(last(entries.slice(0, 1)))),
    });
    expect(rescues).toBe(0);
    expect(await operationLog.head(ID)).toMatchObject({ epoch: 1 });
  });

  test('a hot log that stands where the store stands is adopted', async () => {
    await ordering.seed(ID, 1, GENESIS);
    const entries = await append(['a', 'b']);
    await operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
    await ordering.markSaved(ID, { epoch: 1, ...markOf(last(entries)) });
    expect(await open()).toMatchObject({ epoch: 1, head: markOf(last(entries)) });
    expect(rescues).toBe(0);
  });

  test('a hot log that lost entries in its epoch is not believed although it agrees with the store', async () => {
    await ordering.seed(ID, 1, GENESIS);
    const entries = await append(['a', 'b']);
    await operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
    const head = markOf(last(entries));
    expect(await openSession({ ordering, olderStores, operationLog }, ID, { rescue, lostIn: 1 })).toEqual({
      epoch: 2,
      head,
      saved: head,
    });
    expect(rescues).toBe(1);
    // Whoever comes second finds the newer epoch and takes it over.
    expect(await openSession({ ordering, olderStores, operationLog }, ID, { rescue, lostIn: 1 })).toMatchObject({
      epoch: 2,
      head,
    });
    expect(rescues).toBe(1);
  });

  test('a hot log whose epoch is above the store contradicts it: a new epoch above both', async () => {
    await ordering.seed(ID, 7, GENESIS);
    await append(['nobody saved this'], 7);
    expect(await open()).toEqual({ epoch: 8, head: GENESIS, saved: GENESIS });
    expect(await operationLog.head(ID)).toEqual({ epoch: 8, ...GENESIS });
    expect(rescues).toBe(1);
  });

  test('a hot log that fell behind the store contradicts it: the store is ahead', async () => {
    const stored = chain(3);
    operationLog = await storeWith(stored);
    await ordering.seed(ID, 1, GENESIS);
    const head = markOf(last(stored));
    expect(await open()).toEqual({ epoch: 2, head, saved: head });
    expect(rescues).toBe(1);
  });

  test('a hot log whose floor is above the store contradicts it: entries between are nowhere', async () => {
    await ordering.seed(ID, 1, { seq: 5, tag: '0123456789abcdef' });
    expect(await open()).toEqual({ epoch: 2, head: GENESIS, saved: GENESIS });
    expect(rescues).toBe(1);
  });

  test.each([
    ['a longer history', 2],
    ['a history of the same length', 3],
    ['an entry across the stored head', 1],
  ])('a hot log with another tag at the stored head contradicts it: %s', async (_what, storedCount) => {
    operationLog = await storeWith(chain(storedCount));
    await ordering.seed(ID, 1, GENESIS);
    if (storedCount === 1) {
      await ordering.admit(ID, 1, 'a', null);
      await ordering.append(ID, {
        epoch: 1,
        clientId: 'a',
        userId: 'u',
        firstClientSeq: 1,
        count: 2,
        operations: '["p","q"]',
      });
    } else {
      await append(['other', 'history', 'and more']);
    }
    const stored = await operationLog.head(ID);
    expect(await open()).toEqual({ epoch: 2, head: { seq: stored?.seq, tag: stored?.tag }, saved: expect.anything() });
    expect(rescues).toBe(1);
  });

  test('what a rescue saves is where the new epoch begins', async () => {
    const entries = chain(4);
    operationLog = await storeWith(entries.slice(0, 1));
    const saveTheRest = async (): Promise<void> => {
      rescues += 1;
      const [result] = await operationLog.save([{ sessionId: ID, epoch: 1, entries: entries.slice(1) }]);
      expect(result?.status).toBe('saved');
    };
    const opened = await openSession({ ordering, olderStores, operationLog }, ID, { rescue: saveTheRest });
    expect(opened).toMatchObject({ epoch: 2, head: markOf(last(entries)) });
    expect(rescues).toBe(1);
    expect(await operationLog.save([{ sessionId: ID, epoch: 1, entries: chain(1, { after: last(entries) }) }])).toEqual(
      [{ status: 'fenced', epoch: 2 }],
    );
  });

  test('a rescue that fails opens nothing: it is tried again with the whole opening', async () => {
    const fault = new Error('disk full');
    await expect(
      openSession({ ordering, olderStores, operationLog }, ID, { rescue: () => Promise.reject(fault) }),
    ).rejects.toBe(fault);
    expect(await operationLog.head(ID)).toMatchObject({ epoch: 1 });
    expect(await hotLog()).toBeNull();
  });
});

describe('[ST4] a store that is older than what the hot log knows to be saved', () => {
  let directory: string;
  let errors: () => LogLine[];

  beforeEach(async () => {
    directory = join(await temporaryDirectory(), 'exports');
    const { log, lines } = logLines();
    errors = () => lines.filter(({ level }) => level === ERROR);
    olderStores = new OlderStores({ ordering, files: new HotLogFiles(directory), clock: new ManualClock(), log });
  });
  afterEach(() => rm(join(directory, '..'), { recursive: true }));

  /** Six entries, of which `savedCount` were saved, in a hot log of this epoch; the store has the first `storedCount`. */
  async function behind(storedCount: number, savedCount: number, epoch = 1): Promise<Entry[]> {
    await ordering.seed(ID, epoch, GENESIS);
    const entries = await append(['a', 'b', 'c', 'd', 'e', 'f'], epoch);
    operationLog = await storeWith(entries.slice(0, storedCount).map((entry) => ({ ...entry, epoch: 1 })));
    const saved = entries[savedCount - 1];
    if (saved) await ordering.markSaved(ID, saved);
    return entries;
  }

  const file = () => String(Reflect.get(errors()[0] ?? {}, 'file'));

  test.each([
    ['of the same epoch', 1],
    ['that has lost an epoch, too', 3],
  ])('%s: nothing is opened, the hot log stays, and what it has is in a file', async (_what, epoch) => {
    const entries = await behind(2, 4, epoch);
    const before = await hotLog();
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/older than this session: it ends at 2, and 4 was saved/),
    });
    expect(await hotLog()).toEqual(before);
    expect(await operationLog.head(ID)).toMatchObject({ epoch: 1, seq: 2 });
    expect(await readHotLogFile(file())).toMatchObject({
      sessionId: ID,
      stored: { epoch: 1, seq: 2 },
      hotLog: { epoch, saved: { seq: 4 } },
      entries: entries.slice(4),
    });
  });

  test('it is said once, and written once, however often somebody wants in', async () => {
    await behind(2, 4);
    await expect(open()).rejects.toThrow();
    const written = await readFile(file(), 'utf8');
    await expect(open()).rejects.toThrow();
    expect(errors()).toHaveLength(1);
    expect(olderStores?.size).toBe(1);
    expect(await readFile(file(), 'utf8')).toBe(written);
  });

  test('the right store put back: the session goes on with what only the hot log has', async () => {
    const entries = await behind(2, 4);
    await expect(open()).rejects.toThrow();
    operationLog = await storeWith(entries.slice(0, 4));
    expect(await open()).toMatchObject({ epoch: 1, head: markOf(last(entries)), saved: { seq: 4 } });
    expect(olderStores?.size).toBe(0);
  });

  test('what the own tail still holds heals it before anything is refused', async () => {
    const entries = await behind(2, 4);
    await openSession({ ordering, olderStores, operationLog }, ID, {
      rescue: async () => {
        await operationLog.save([{ sessionId: ID, epoch: 1, entries: entries.slice(2) }]);
      },
    });
    expect(await operationLog.head(ID)).toMatchObject({ seq: 6 });
    expect(errors()).toEqual([]);
  });

  test('another history at the saved position is no less', async () => {
    await behind(2, 2);
    operationLog = await storeWith(chain(6));
    await expect(open()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  test.each<[string, () => Promise<void>]>([
    ['an unsaved tail is adopted', async () => void (await behind(4, 4))],
    ['a store that saved more than the hot log was told', async () => void (await behind(4, 2))],
    ['a store that lost only an epoch', async () => void (await behind(4, 4, 3))],
    [
      'a store that somebody has opened since',
      async () => {
        await behind(2, 4);
        await operationLog.openEpoch(ID, 1, 1);
      },
    ],
  ])('ordinary, and opened as ever: %s', async (_what, prepare) => {
    await prepare();
    expect((await open()).head.seq).toBeGreaterThan(0);
    expect(errors()).toEqual([]);
  });

  test.each(['..', '../../x', '/etc/x', 'a/../../x', '..\\x', 'a\u0000b'])(
    'a file for what is no id, such as %j, is no other place',
    (notAnId) => {
      const log = { epoch: 1, head: { seq: 1, tag: 'x' }, saved: GENESIS, floor: 0 };
      const path = new HotLogFiles(directory).pathOf(notAnId, log);
      expect(path.startsWith(`${directory}/`)).toBe(true);
      for (const special of ['/', '\\', '\u0000']) expect(path.slice(directory.length + 1)).not.toContain(special);
    },
  );

  test('a file that was cut short or changed is not read', async () => {
    await behind(2, 4);
    await expect(open()).rejects.toThrow();
    const text = await readFile(file(), 'utf8');
    for (const broken of [
      '',
      text.split('\n').slice(0, 2).join('\n'),
      text.replace('[\\"f\\"]', '[\\"g\\"]'),
      text.replace(`"${ID}"`, '"../x"'),
    ]) {
      expect(broken).not.toBe(text);
      await writeFile(file(), broken);
      await expect(readHotLogFile(file())).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
  });
});

describe('[ST4] opening while others do', () => {
  /** Runs `meanwhile` before the given call goes through: every time, or once. */
  function interruptedAlways<Port extends object>(
    port: Port,
    method: keyof Port,
    meanwhile: () => Promise<void>,
  ): Port {
    return new Proxy(port, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return Reflect.get(target, name, receiver);
        return async (...args: unknown[]) => {
          if (name === method) await meanwhile();
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  }

  function interrupted<Port extends object>(port: Port, method: keyof Port, meanwhile: () => Promise<void>): Port {
    let isDone = false;
    return interruptedAlways(port, method, async () => {
      if (isDone) return;
      isDone = true;
      await meanwhile();
    });
  }

  test('another instance opens and seeds first: its epoch is adopted, ours is never opened', async () => {
    const other = { ordering, olderStores, operationLog };
    const busyLog = interrupted(operationLog, 'openEpoch', async () => {
      expect(await openSession(other, ID)).toMatchObject({ epoch: 2 });
      await append(['of the other'], 2);
    });
    const opened = await openSession({ ordering, olderStores, operationLog: busyLog }, ID);
    expect(opened).toMatchObject({ epoch: 2, head: { seq: 1 } });
    expect(await operationLog.head(ID)).toMatchObject({ epoch: 2 });
  });

  test('another instance opens a newer epoch between our opening and seeding: the newer one is adopted', async () => {
    const busyOrdering: EventOrdering = interrupted<EventOrdering>(ordering, 'seed', async () => {
      expect(await openSession({ ordering, olderStores, operationLog }, ID)).toMatchObject({ epoch: 3 });
    });
    const opened = await openSession({ ordering: busyOrdering, olderStores, operationLog }, ID);
    expect(opened.epoch).toBe(3);
    expect(await hotLog()).toMatchObject({ epoch: 3 });
  });

  test('the store moves between two reads: that is no contradiction', async () => {
    await ordering.seed(ID, 1, GENESIS);
    const entries = await append(['a', 'b', 'c']);
    // We read the store, then the saver saves and lets go of everything, then we read the hot log.
    const busyOrdering: EventOrdering = interrupted<EventOrdering>(ordering, 'describe', async () => {
      await operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
      await ordering.markSaved(ID, { epoch: 1, ...markOf(last(entries)) });
    });
    const opened = await openSession({ ordering: busyOrdering, olderStores, operationLog }, ID, { rescue });
    expect(opened).toMatchObject({ epoch: 1, head: markOf(last(entries)) });
    expect(rescues).toBe(0);
  });

  test.each(['describe', 'read'] as const)(
    'a store that has moved on at every "%s" keeps nobody out',
    async (method) => {
      await ordering.seed(ID, 1, GENESIS);
      const first = await append(['a', 'b']);
      await operationLog.save([{ sessionId: ID, epoch: 1, entries: first.slice(0, 1) }]);
      const busyOrdering: EventOrdering = interruptedAlways<EventOrdering>(ordering, method, async () => {
        const { seq = 0 } = (await operationLog.head(ID)) ?? {};
        const read = await ordering.read(ID, seq, Number.MAX_SAFE_INTEGER);
        const entries = [...(read?.entries ?? []), ...(await append(['one more']))];
        await operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
        await ordering.markSaved(ID, { epoch: 1, ...markOf(last(entries)) });
        await append(['and one that is not saved yet']);
      });
      expect(await openSession({ ordering: busyOrdering, olderStores, operationLog }, ID, { rescue })).toMatchObject({
        epoch: 1,
      });
      expect(rescues).toBe(0);
    },
  );

  test('of many who open at once all end in one epoch', async () => {
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => openSession({ ordering, olderStores, operationLog }, ID)),
    );
    const hot = await hotLog();
    const stored: Position | null = await operationLog.head(ID);
    expect(stored?.epoch).toBe(hot?.epoch);
    expect(Math.max(...opened.map(({ epoch }) => epoch))).toBe(hot?.epoch);
  });

  test('instances that keep fencing each other are stopped after a few rounds', async () => {
    let epoch = 1;
    const hostile: OperationLog = {
      ...bound(operationLog),
      openEpoch: async () => null,
      head: async () => ({ epoch: epoch++, ...GENESIS }),
    };
    await expect(openSession({ ordering, olderStores, operationLog: hostile }, ID)).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      details: { retryAfterMs: expect.any(Number) },
    });
  });
});

describe('[ST4] memory mode', () => {
  test('the process is its own authority: a new epoch each time, whatever was left in the hot log', async () => {
    ordering = new MemoryEventOrdering({ clock: new ManualClock(), scope: 'process' });
    expect(await open()).toMatchObject({ epoch: 2 });
    await append(['unsaved'], 2);
    expect(await open()).toEqual({ epoch: 3, head: GENESIS, saved: GENESIS });
    expect(await hotLog()).toMatchObject({ epoch: 3, head: GENESIS });
  });
});

/** The methods of a class instance as an object's own, to be spread. */
function bound(log: OperationLog): OperationLog {
  return {
    durability: log.durability,
    head: (sessionId) => log.head(sessionId),
    openEpoch: (...args) => log.openEpoch(...args),
    save: (saves) => log.save(saves),
    readAfter: (...args) => log.readAfter(...args),
    tagAt: (...args) => log.tagAt(...args),
    clientRow: (...args) => log.clientRow(...args),
    prune: (...args) => log.prune(...args),
  };
}
