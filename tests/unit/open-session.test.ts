import type { User } from '../../src/access/access';
import type { Verdict } from '../../src/access/authorisation';
import { ClientIdentity } from '../../src/access/client-identity';
import type { WebSocketManager } from '../../src/connections/websocket-manager';
import { createLogger } from '../../src/lib/logger';
import type { LiveServices } from '../../src/live/live-services';
import { OpenSession } from '../../src/live/open-session';
import { Saver } from '../../src/live/saver';
import { SlowConsumers } from '../../src/live/slow-consumers';
import { Snapshotter } from '../../src/live/snapshotter';
import type { EventOrdering, Hint, Submission } from '../../src/ordering/event-ordering';
import { MemoryInstanceBus } from '../../src/instances/memory-instance-bus';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { markOf, type Entry } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import { GENESIS } from '../../src/protocol/positions';
import type { Batch, Replies, SessionInfo } from '../../src/protocol/schemas';
import { MemoryParticipants } from '../../src/sessions/memory-participants';
import type { DocumentFolder } from '../../src/storage/document-folder';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { Telemetry } from '../../src/telemetry/telemetry';
import { entryAfter } from '../support/entries';
import { ManualClock, settle } from '../support/manual-clock';

const ID = 's';
const info: SessionInfo = { sessionId: ID, title: '', format: 'json', createdBy: 'ada', createdAt: 0, updatedAt: 0 };
const EDITOR: Verdict = { role: 'editor', number: 0 };
const userOf = (userId: string): User => ({
  userId,
  deviceId: null,
  isAdministrator: false,
  expiresAt: null,
  issuedAt: 0,
});
const OTHER_TAG = 'f'.repeat(16);

const unneeded = (): never => {
  throw new Error('not needed here');
};
const folder: DocumentFolder = {
  toUpdate: unneeded,
  toText: unneeded,
  toJson: unneeded,
  tryOut: unneeded,
  difference: unneeded,
  start: unneeded,
  stop: unneeded,
};

/** What the session says to its clients. */
class Wire implements WebSocketManager {
  readonly batches: Batch[] = [];
  readonly forked: unknown[] = [];
  register = unneeded;
  toUser = unneeded;
  disconnectUser = unneeded;
  disconnectHere = unneeded;
  stats = unneeded;
  readonly #room = new Set<string>();
  enter = (connectionId: string): void => void this.#room.add(connectionId);
  leave = (connectionId: string): void => void this.#room.delete(connectionId);
  membersHere = () => this.#room;
  backlogBytes = () => 0;
  toSession = (): void => {};
  toSessionHere = (_sessionId: string, name: string, payload: unknown): number => {
    if (name === 'operation:batch') this.batches.push(JSON.parse(JSON.stringify(payload)) as Batch);
    return this.#room.size;
  };
  toConnectionHere = (_connectionId: string, name: string, payload: unknown): void => {
    if (name === 'session:forked') this.forked.push(payload);
  };
}

let clock: ManualClock;
let store: MemoryDocumentStore;
let hotLog: MemoryEventOrdering;
let wire: Wire;
/** Why the session had to be opened again, as it logged it. */
let discontinuities: string[];
/** The feed of the session under test: nothing comes through unless a test lets it. */
let tell: (hint: Hint) => void;
let unfollowed: number;
let reads: number;
/** While set, reads wait for it. */
let heldReads: Promise<void> | undefined;
let isSaving: boolean;
let claim: () => Promise<ReadonlySet<string>>;
let session: OpenSession;
let saver: Saver;
let services: LiveServices;

beforeEach(async () => {
  clock = new ManualClock();
  store = new MemoryDocumentStore();
  await store.sessionRecords.create({ ...info, link: 'none' });
  hotLog = new MemoryEventOrdering({ clock, scope: 'shared' });
  wire = new Wire();
  discontinuities = [];
  unfollowed = 0;
  reads = 0;
  heldReads = undefined;
  isSaving = true;
  claim = async () => new Set(isSaving ? [ID] : []);
  const { operationLog, snapshots } = store;
  const telemetry = new Telemetry();
  const log = createLogger(
    { level: 'warn', instanceId: 'i' },
    {
      write: (line) => {
        const { reason } = JSON.parse(line) as { reason?: string };
        if (reason !== undefined) discontinuities.push(reason);
      },
    },
  );
  const identity = new ClientIdentity(async () => 'secret');
  await identity.start();
  saver = new Saver({ operationLog, clock, telemetry, log, intervalMs: 20 });
  services = {
    ordering: oneSided(),
    saveDuty: { claim: () => claim(), release: async () => {}, orphans: async () => [] },
    operationLog,
    olderStores: null,
    snapshots,
    folder,
    participants: new MemoryParticipants({ clock, leaseMs: 30_000 }),
    sockets: wire,
    bus: new MemoryInstanceBus(),
    identity,
    authorisation: {
      judge: async () => EDITOR,
      isOutdated: () => false,
      isFresh: () => true,
      demandFresh: async () => {},
    },
    saver,
    snapshotter: new Snapshotter({
      operationLog,
      snapshots,
      folder,
      clock,
      log,
      afterEntries: 500,
      afterBytes: 1_000_000,
      historyMs: 0,
    }),
    slowConsumers: new SlowConsumers({ sockets: wire, telemetry, log, maxUnreadBytes: 1_000_000 }),
    telemetry,
    clock,
    log,
    onSaved: undefined,
    limits: {
      maxParticipants: 0,
      maxDocumentBytes: 0,
      maxOperationBytes: 1_000_000,
      maxBatchOperations: 256,
      maxBatchBytes: 2_000_000,
      ring: { maxEntries: 100, maxBytes: 1_000_000 },
      maxUnsavedBytes: 1_000_000,
      fanOutIntervalMs: 10,
      awarenessIntervalMs: 50,
      awarenessBytesPerSecond: 65_536,
    },
  };
});

/** The hot log as the session sees it: appends and reads work, hints come only by hand. */
function oneSided(): EventOrdering {
  return {
    scope: 'shared',
    describe: (ids) => hotLog.describe(ids),
    seed: (...args) => hotLog.seed(...args),
    admit: (...args) => hotLog.admit(...args),
    append: (...args) => hotLog.append(...args),
    read: async (...args) => {
      reads += 1;
      await heldReads;
      return hotLog.read(...args);
    },
    markSaved: (...args) => hotLog.markSaved(...args),
    release: (id) => hotLog.release(id),
    follow: async (_id, onHint) => {
      tell = onHint;
      return async () => {
        unfollowed += 1;
      };
    },
  };
}

const listener = { onClosed: () => {}, onRecordChanged: () => {} };

async function open(): Promise<OpenSession> {
  session = await OpenSession.open(services, info, listener);
  reads = 0;
  return session;
}

/** An entry that another instance got into the order; this one has not heard of it. */
async function orderedElsewhere(text = 'x', clientId = 'elsewhere'): Promise<Entry> {
  const epoch = (await hotLog.describe([ID]))[0]?.epoch ?? 0;
  const admitted = await hotLog.admit(ID, epoch, clientId, null);
  if (admitted === 'wrong-epoch') throw new Error(admitted);
  const submission: Submission = {
    epoch,
    clientId,
    userId: 'u',
    firstClientSeq: admitted.lastClientSeq + 1,
    count: 1,
    operations: JSON.stringify([text]),
  };
  const result = await hotLog.append(ID, submission);
  if (result.status !== 'accepted') throw new Error(result.status);
  return result.entry;
}

const hot = async () => (await hotLog.describe([ID]))[0] ?? null;
const audit = async (): Promise<void> => {
  const { known } = session;
  session.audit(await hot(), known);
  await settle();
};
const delivered = (): number[] => {
  clock.advance(10);
  return wire.batches.flatMap(({ entries }) => entries.map(({ seq }) => seq));
};

function hold(): () => void {
  let release: () => void = () => {};
  heldReads = new Promise((resolve) => {
    release = () => {
      heldReads = undefined;
      resolve();
    };
  });
  return release;
}

describe('[DL2] hints', () => {
  test('an entry that continues passes; one that comes again, or of an older epoch, is dropped', async () => {
    await open();
    const entry = await orderedElsewhere();
    for (let time = 0; time < 3; time += 1) tell({ kind: 'entry', entry });
    tell({ kind: 'entry', entry: entryAfter({ after: entry, epoch: 0 }) });
    await settle();
    expect(delivered()).toEqual([1]);
    expect([reads, discontinuities]).toEqual([0, []]);
  });

  test('an entry behind missing ones has them read, once for however many hints', async () => {
    await open();
    const entries = [await orderedElsewhere(), await orderedElsewhere(), await orderedElsewhere()];
    const release = hold();
    for (const entry of entries.slice(1)) tell({ kind: 'entry', entry });
    await settle();
    expect(reads).toBe(1);
    release();
    await settle();
    expect(delivered()).toEqual([1, 2, 3]);
    expect(reads).toBe(1);
    expect(discontinuities).toEqual([]);
  });

  test('word of a head beyond the tail has it read; word of an older head, or of another epoch, does not', async () => {
    await open();
    const entry = await orderedElsewhere();
    tell({ kind: 'head', head: { epoch: 9, ...markOf(entry) } });
    await settle();
    expect(reads).toBe(0);
    tell({ kind: 'head', head: { epoch: entry.epoch, ...markOf(entry) } });
    await settle();
    expect(delivered()).toEqual([1]);
    tell({ kind: 'head', head: { epoch: entry.epoch, ...GENESIS } });
    await settle();
    expect(reads).toBe(1);
  });

  test.each([
    ['of another history', (head: Entry) => entryAfter({ after: { seq: head.seq, tag: OTHER_TAG } })],
    ['in the place of one that was delivered', () => entryAfter({ operations: ['another'] })],
    ['of a newer epoch', (head: Entry) => entryAfter({ after: head, epoch: 7 })],
  ])('an entry %s is a discontinuity', async (_what, make) => {
    await open();
    const entry = await orderedElsewhere();
    tell({ kind: 'entry', entry });
    tell({ kind: 'entry', entry: make(entry) });
    await settle();
    expect(discontinuities).toHaveLength(1);
    expect(delivered()).toEqual([1]);
    expect(session.isOpen).toBe(true);
  });

  test('a hole that remains after reading is a discontinuity', async () => {
    await open();
    await orderedElsewhere();
    await hotLog.markSaved(ID, { epoch: 1, ...((await hot())?.head ?? GENESIS) });
    // The log says that the store has it, and the store does not.
    await audit();
    expect(discontinuities).toHaveLength(1);
  });

  test('a log that ends before what a hint named has lost something', async () => {
    await open();
    const entry = await orderedElsewhere();
    tell({ kind: 'head', head: { epoch: entry.epoch, seq: 5, tag: OTHER_TAG } });
    await settle();
    expect(discontinuities).toHaveLength(1);
  });
});

describe('[SV3] word of what is saved', () => {
  beforeEach(async () => {
    isSaving = false;
    await open();
  });

  const saidSaved = async (entry: Entry, fields: Partial<Entry> = {}): Promise<void> => {
    const { epoch, seq, tag } = { ...entry, ...fields };
    tell({ kind: 'saved', saved: { epoch, seq, tag } });
    await settle();
  };

  test('is believed where the own tail has that tag', async () => {
    const entry = await orderedElsewhere();
    tell({ kind: 'entry', entry });
    await saidSaved(entry);
    expect(session.saved).toEqual(markOf(entry));
  });

  test('waits beyond the tail, until it is said again', async () => {
    const entry = await orderedElsewhere();
    await saidSaved(entry);
    expect(session.saved).toEqual(GENESIS);
    tell({ kind: 'entry', entry });
    await saidSaved(entry);
    expect(session.saved).toEqual(markOf(entry));
  });

  test('of another epoch is no news, and of less than is known neither', async () => {
    const first = await orderedElsewhere();
    const second = await orderedElsewhere();
    for (const entry of [first, second]) tell({ kind: 'entry', entry });
    await saidSaved(second, { epoch: 9 });
    expect(session.saved).toEqual(GENESIS);
    await saidSaved(second);
    await saidSaved(first);
    expect(session.saved).toEqual(markOf(second));
  });

  test('with another tag is a discontinuity', async () => {
    const entry = await orderedElsewhere();
    tell({ kind: 'entry', entry });
    await saidSaved(entry, { tag: OTHER_TAG });
    expect(discontinuities).toHaveLength(1);
    expect(session.saved.tag).not.toBe(OTHER_TAG);
  });

  test('comes with the audit, too', async () => {
    const entry = await orderedElsewhere();
    tell({ kind: 'entry', entry });
    await store.operationLog.save([{ sessionId: ID, epoch: 1, entries: [entry] }]);
    await hotLog.markSaved(ID, { epoch: 1, ...markOf(entry) });
    await audit();
    expect(session.saved).toEqual(markOf(entry));
    expect(discontinuities).toEqual([]);
  });
});

describe('[DL3] the audit', () => {
  test('finds what no hint told', async () => {
    await open();
    await orderedElsewhere();
    await orderedElsewhere();
    await audit();
    expect(delivered()).toEqual([1, 2]);
    expect(discontinuities).toEqual([]);
  });

  test('of a log that is where the tail is does nothing', async () => {
    await open();
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    await audit();
    expect([reads, discontinuities]).toEqual([0, []]);
  });

  test.each([
    ['is gone', () => null],
    ['has another epoch', (log: object) => ({ ...log, epoch: 8 })],
    ['has another history', (log: object) => ({ ...log, head: { seq: 1, tag: OTHER_TAG } })],
    ['ends before what was delivered', (log: object) => ({ ...log, head: GENESIS })],
  ])('of a log that %s is a discontinuity', async (_what, change) => {
    await open();
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    const log = await hot();
    if (!log) throw new Error('no hot log');
    session.audit(change(log) as typeof log | null, session.known);
    expect(discontinuities).toHaveLength(1);
    await settle();
  });

  test('that asked before an entry was known takes no offence at a log without it', async () => {
    await open();
    const { known } = session;
    const before = await hot();
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    session.audit(before, known);
    expect(discontinuities).toEqual([]);
  });

  test('that asked before the session was opened again says nothing of it', async () => {
    await open();
    const { known } = session;
    const before = await hot();
    await hotLog.seed(ID, 5, GENESIS);
    await store.operationLog.openEpoch(ID, 1, 4);
    await audit();
    await settle();
    expect(session.position.epoch).toBe(5);
    session.audit(before, known);
    session.audit(null, known);
    expect(discontinuities).toHaveLength(1);
  });
});

describe('[DL3] an answer to a submit', () => {
  async function speaker() {
    const { clientId } = await session.admitClient('ada', undefined);
    return { clientId, user: userOf('ada'), verdict: EDITOR };
  }

  test('waits for the own gate: what came before has to be here first', async () => {
    await open();
    const ada = await speaker();
    await orderedElsewhere();
    const release = hold();
    let answer: unknown;
    const submitted = session
      .submitAs(ada, { sessionId: ID, clientSeq: 1, operations: ['mine'] })
      .then((reply) => (answer = reply));
    await settle();
    expect([answer, reads]).toEqual([undefined, 1]);
    release();
    await submitted;
    expect(answer).toEqual({ epoch: 1, seq: 2 });
    expect(delivered()).toEqual([1, 2]);
  });

  test('a read that began before the entry was ordered is followed by another', async () => {
    await open();
    const ada = await speaker();
    const first = await orderedElsewhere();
    const release = hold();
    tell({ kind: 'head', head: { epoch: 1, ...markOf(first) } });
    await settle();
    const readEarly = hotLog.read.bind(hotLog);
    const early = await readEarly(ID, 0, 1_000_000);
    // The read under way answers with what there was when it began.
    hotLog.read = async () => {
      hotLog.read = readEarly;
      return early;
    };
    const submitted = session.submitAs(ada, { sessionId: ID, clientSeq: 1, operations: ['mine'] });
    await settle();
    release();
    expect(await submitted).toEqual({ epoch: 1, seq: 2 });
    expect(discontinuities).toEqual([]);
  });

  test('a duplicate waits for the own gate like any other', async () => {
    await open();
    const ada = await speaker();
    await session.submitAs(ada, { sessionId: ID, clientSeq: 1, operations: ['mine'] });
    // The same client, by way of another instance.
    const theirs: Submission = {
      epoch: 1,
      clientId: ada.clientId,
      userId: 'ada',
      firstClientSeq: 2,
      count: 1,
      operations: '["second"]',
    };
    expect(await hotLog.append(ID, theirs)).toMatchObject({ status: 'accepted' });
    const reply = await session.submitAs(ada, { sessionId: ID, clientSeq: 2, operations: ['second'] });
    expect(reply).toEqual({ epoch: 1, seq: 2, duplicate: true });
    expect(delivered()).toEqual([1, 2]);
  });

  test('what cannot be had is NOT_DELIVERED: resend', async () => {
    await open();
    const ada = await speaker();
    await orderedElsewhere();
    hotLog.read = async () => Promise.reject(new Error('away'));
    const submitted = session.submitAs(ada, { sessionId: ID, clientSeq: 1, operations: ['mine'] });
    await expect(submitted).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
  });

  test('[EO7] under an epoch that is over is NOT_DELIVERED, and works when the session is open again', async () => {
    await open();
    const ada = await speaker();
    await store.operationLog.openEpoch(ID, 1, 4);
    await hotLog.seed(ID, 5, GENESIS);
    const submit = { sessionId: ID, clientSeq: 1, operations: ['mine'] };
    await expect(session.submitAs(ada, submit)).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    await settle();
    expect(session.position.epoch).toBe(5);
    expect(await session.submitAs(ada, submit)).toEqual({ epoch: 5, seq: 1 });
    expect(discontinuities).toHaveLength(1);
  });

  test('[EO7] a late answer about an old epoch does not open the session once more', async () => {
    await open();
    const ada = await speaker();
    const append = hotLog.append.bind(hotLog);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    hotLog.append = async () => {
      await held;
      return { status: 'wrong-epoch' };
    };
    const late = session.submitAs(ada, { sessionId: ID, clientSeq: 1, operations: ['mine'] });
    const outcome = late.catch((fault: unknown) => fault);
    await store.operationLog.openEpoch(ID, 1, 4);
    await hotLog.seed(ID, 5, GENESIS);
    await audit();
    await settle();
    expect(session.position.epoch).toBe(5);
    hotLog.append = append;
    release();
    expect(await outcome).toMatchObject({ code: 'NOT_DELIVERED' });
    expect(discontinuities).toHaveLength(1);
    expect(session.isOpen).toBe(true);
  });
});

describe('[ST4] a client that claims to know more than there is', () => {
  const replies: Array<Replies['session:join']> = [];
  /** Resolves with the refusal, or with null when it is in. */
  async function claim(epoch: number): Promise<FlowError | null> {
    const have = { epoch, head: { seq: 5, tag: OTHER_TAG }, saved: GENESIS };
    const joiner = { connectionId: 'eve', user: () => userOf('eve'), isAlive: () => true };
    try {
      await session.join(joiner, { sessionId: ID, have }, EDITOR, (reply) => replies.push(reply));
      return null;
    } catch (fault) {
      if (fault instanceof FlowError) return fault;
      throw fault;
    } finally {
      await settle();
    }
  }
  const again = (fault: FlowError | null): number => fault?.details.retryAfterMs ?? Number.NaN;

  beforeEach(() => replies.splice(0));

  test('is told what is void only under a newer epoch', async () => {
    await open();
    expect(await claim(1)).toMatchObject({ code: 'NOT_DELIVERED' });
    expect([discontinuities.length, session.position.epoch]).toEqual([1, 2]);
    expect(await claim(1)).toBeNull();
    expect(replies).toMatchObject([{ resume: { fork: { base: GENESIS } }, head: { epoch: 2 } }]);
  });

  test('once more has to wait, and is told how long', async () => {
    await open();
    await claim(1);
    const early = await claim(2);
    expect(early).toMatchObject({ code: 'NOT_DELIVERED' });
    expect(discontinuities).toHaveLength(1);
    clock.advance(again(early));
    expect(await claim(2)).toMatchObject({ code: 'NOT_DELIVERED' });
    expect(discontinuities).toHaveLength(2);
    expect(replies).toEqual([]);
  });

  test('for ever has the session opened again ever more rarely, and the others write on', async () => {
    await open();
    const { clientId } = await session.admitClient('ada', undefined);
    for (let clientSeq = 1; clientSeq <= 600; clientSeq += 1) {
      expect(await claim(Number.MAX_SAFE_INTEGER)).toMatchObject({ code: 'NOT_DELIVERED' });
      const submitted = session.submitAs(
        { clientId, user: userOf('ada'), verdict: EDITOR },
        { sessionId: ID, clientSeq, operations: ['mine'] },
      );
      expect(await submitted).toMatchObject({ seq: clientSeq });
      clock.advance(100);
    }
    // Five in the first eight seconds, then one every five to ten.
    expect(discontinuities.length).toBeGreaterThan(5);
    expect(discontinuities.length).toBeLessThan(20);
    expect(replies).toEqual([]);
  });

  test('after a quiet time is the first again', async () => {
    await open();
    for (let claims = 0; claims < 5; claims += 1) {
      await claim(Number.MAX_SAFE_INTEGER);
      clock.advance(10_000);
    }
    await claim(Number.MAX_SAFE_INTEGER);
    const late = again(await claim(Number.MAX_SAFE_INTEGER));
    clock.advance(70_000);
    await claim(Number.MAX_SAFE_INTEGER);
    const first = again(await claim(Number.MAX_SAFE_INTEGER));
    expect(late).toBeGreaterThan(4_000);
    expect(first).toBeLessThanOrEqual(500);
  });
});

describe('coming and going', () => {
  test('[ST5] a session that another process has taken over leaves nothing in a hot log of its own', async () => {
    hotLog = new MemoryEventOrdering({ clock, scope: 'process' });
    services = { ...services, ordering: hotLog };
    await open();
    const { clientId } = await session.admitClient('ada', undefined);
    await session.submitAs(
      { clientId, user: userOf('ada'), verdict: EDITOR },
      { sessionId: ID, clientSeq: 1, operations: ['unsaved'] },
    );
    await store.operationLog.openEpoch(ID, 1, 0);
    expect(await hot()).toMatchObject({ head: { seq: 1 }, saved: GENESIS });
    clock.advance(20);
    await session.ended;
    expect(await hot()).toBeNull();
  });

  test('[ST5] drained while it is being opened again, it stays draining', async () => {
    await open();
    const release = hold();
    await store.operationLog.openEpoch(ID, 1, 4);
    await hotLog.seed(ID, 5, GENESIS);
    const { known } = session;
    session.audit(await hot(), known);
    session.drain();
    release();
    await settle();
    await settle();
    expect(session.position.epoch).toBe(5);
    await expect(session.admitClient('ada', undefined)).rejects.toMatchObject({ code: 'DRAINING' });
  });

  test('a session that cannot begin lets go of the feed', async () => {
    claim = () => Promise.reject(new Error('away'));
    await expect(OpenSession.open(services, info, listener)).rejects.toThrow('away');
    expect(unfollowed).toBe(1);
  });

  test('a closed session says nothing more, refuses everything, and leaves no timer and no byte', async () => {
    await open();
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    await session.close('idle');
    await session.close('idle');
    await session.ended;
    const count = delivered().length;
    tell({ kind: 'entry', entry: await orderedElsewhere() });
    session.audit(null, session.known);
    expect(delivered()).toHaveLength(count);
    expect(discontinuities).toEqual([]);
    expect(unfollowed).toBe(1);
    expect(saver.unsavedBytes).toBe(0);
    await expect(session.admitClient('ada', undefined)).rejects.toMatchObject({ code: 'NOT_JOINED' });
    saver.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('[SV1] taking up the saving of a session', () => {
  /** Another saver stores some of the entries, and the hot log lets go of them, when the session reads for the given time. */
  function movedOnAtRead(count: number, entries: readonly Entry[]): void {
    const { read, ...others } = oneSided();
    let readsSoFar = 0;
    services = {
      ...services,
      ordering: {
        ...others,
        read: async (...args) => {
          readsSoFar += 1;
          const last = entries[entries.length - 1];
          if (readsSoFar === count && last) {
            await store.operationLog.save([{ sessionId: ID, epoch: 1, entries }]);
            await hotLog.markSaved(ID, { epoch: 1, ...markOf(last) });
          }
          return read(...args);
        },
      },
    };
  }

  test.each([1, 2])('goes on from where another saver has brought the store, be it in read %i', async (count) => {
    await store.operationLog.openEpoch(ID, 0, 0);
    await hotLog.seed(ID, 1, GENESIS);
    const entries = [await orderedElsewhere('a'), await orderedElsewhere('b'), await orderedElsewhere('c')];
    movedOnAtRead(count, entries.slice(0, 2));
    await open();
    clock.advance(20);
    await settle();
    expect(discontinuities).toEqual([]);
    expect(await store.operationLog.head(ID)).toEqual({ epoch: 1, seq: 3, tag: entries[2]?.tag });
  });
});
