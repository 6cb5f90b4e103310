import { loadConfig, type Config } from '../../../config/load-config';
import type { createApp } from '../../../src/app';
import type { Mark } from '../../../src/protocol/positions';
import { forEachService } from '../../../src/protocol/services';
import { RedisKeys } from '../../../src/redis/keys';
import type { DocumentStore } from '../../../src/storage/document-store';
import { MemoryDocumentStore } from '../../../src/storage/memory/memory-document-store';
import { eventually } from '../eventually';
import { FaultyStore } from '../faulty-store';
import type { RedisLine } from '../redis-line';
import type { RedisServer } from '../redis-server';
import { SingleRedis } from '../redis-topology';
import { loadChanged, type SourceChange } from '../schedule/changed-source';
import { Dice } from '../schedule/dice';
import { SavedLedger } from '../schedule/saved-ledger';
import { Trace, type Invariant, type Violation } from '../schedule/trace';
import { WireProbe } from '../schedule/wire-probe';
import type { Parts } from '../schedule/world';
import { startServer, type TestServer } from '../server';
import { judge } from './judge';
import { StageAuthor } from './stage-author';

const SESSION = 'scene';
const ON_REDIS = forEachService(() => 'redis' as const);
const KEYS = new RedisKeys('flow:');
/** Nobody listens there. */
export const NOWHERE = 0;
const NEVER = new Promise<void>(() => {});

const SETTINGS: Partial<Config> = {
  backends: ON_REDIS,
  configured: ON_REDIS,
  saveIntervalMs: 5,
  // So that a scene whose saver dies need not wait long.
  saveLeaseMs: 500,
  // An orderly end is not what a scene is about.
  stopDeadlineMs: 1_000,
};
/** As a setting of a scene: hints, and what clients say, must do without it. */
export const NO_AUDIT: Partial<Config> = { auditIntervalMs: 3_600_000 };
/** Where nobody dies, whoever saves goes on saving, however late a full machine lets it renew its lease. */
export const STEADY_SAVER: Partial<Config> = { saveLeaseMs: 30_000 };
const OFTEN: Partial<Config> = { auditIntervalMs: 50 };

/** For what must come. */
const PATIENCE_MS = 15_000;
/** For what is expected not to come. */
const SHORT_PATIENCE_MS = 2_000;

/** How a scene is played. */
export interface Staging {
  /** Of the source of the servers. */
  readonly changes?: readonly SourceChange[];
  readonly parts?: Partial<Pick<Parts, 'keptIn' | 'store'>>;
  readonly near?: Partial<Config>;
  readonly far?: Partial<Config>;
  /** Once this is broken, nothing more is waited for. */
  readonly expected?: Invariant;
}

/** One instance, and everything between it and the rest. */
export interface Place {
  readonly name: string;
  readonly server: TestServer;
  readonly line: RedisLine;
  /** Its way to the store that both have. */
  readonly store: FaultyStore;
  /** Reads there, once it is told to, and forgives nothing. */
  readonly probe: WireProbe;
}

/** What Redis held of the session, as DUMP has it. */
type Copy = ReadonlyArray<readonly [key: string, dump: Buffer]>;

/** Two instances on one Redis and one store, with hands on all that lies between them; what anybody is told is written down. */
export class Stage {
  readonly redis: SingleRedis;
  readonly near: Place;
  readonly far: Place;
  readonly #truth: DocumentStore;
  readonly #trace: Trace;
  readonly #ledger: SavedLedger;
  readonly #expected: Invariant | undefined;
  readonly #authors: StageAuthor[] = [];
  readonly #watched = new Set<Place>();
  readonly #dead = new Set<Place>();

  static async start(staging: Staging): Promise<Stage> {
    const { changes = [], parts = {}, near, far, expected } = staging;
    const app = loadChanged('src/app.ts', changes) as { createApp: typeof createApp };
    const redis = await SingleRedis.start(2);
    const truth = parts.keptIn ?? new MemoryDocumentStore();
    const trace = new Trace();
    const ledger = new SavedLedger((seq) => truth.operationLog.tagAt(SESSION, seq), trace);
    const about = {
      format: 'json',
      title: SESSION,
      createdBy: 'nobody',
      link: 'editor',
      createdAt: 1,
      updatedAt: 1,
    } as const;
    await truth.sessionRecords.create({ sessionId: SESSION, ...about });
    const build = async (index: number, name: string, config: Partial<Config> = {}): Promise<Place> => {
      const store = new FaultyStore(parts.store?.(truth) ?? truth);
      const line = redis.lines[index];
      if (!line) throw new Error('every instance has a line');
      const { redis: settings } = loadConfig({ REDIS_URL: line.url });
      const all = { ...SETTINGS, ...OFTEN, ...config, redis: settings, instanceId: name };
      const server = await startServer({ createApp: app.createApp, store, config: all });
      const options = { sessionId: SESSION, ledger, trace, dice: new Dice(1, name) };
      return { name, server, line, store, probe: new WireProbe(`the reader at ${name}`, options) };
    };
    return new Stage({
      redis,
      near: await build(0, 'near', near),
      far: await build(1, 'far', far),
      truth,
      trace,
      ledger,
      expected,
    });
  }

  private constructor(set: {
    redis: SingleRedis;
    near: Place;
    far: Place;
    truth: DocumentStore;
    trace: Trace;
    ledger: SavedLedger;
    expected: Invariant | undefined;
  }) {
    this.redis = set.redis;
    this.near = set.near;
    this.far = set.far;
    this.#truth = set.truth;
    this.#trace = set.trace;
    this.#ledger = set.ledger;
    this.#expected = set.expected;
  }

  // ————— people

  async author(place: Place, name: string): Promise<StageAuthor> {
    const author = new StageAuthor(name, SESSION);
    this.#authors.push(author);
    await author.join(place.server);
    return author;
  }

  /** From now on somebody reads there; resolves when they have what there is. */
  async watch(...places: readonly Place[]): Promise<void> {
    for (const place of places) {
      this.#watched.add(place);
      place.probe.attach(Number(new URL(place.server.url).port));
      place.probe.stay();
      await eventually(`a reader at ${place.name}`, () => place.probe.isSeated, PATIENCE_MS);
    }
  }

  // ————— what there is

  async stored(): Promise<Mark> {
    const head = await this.#truth.operationLog.head(SESSION);
    if (!head) throw new Error('there is no such session');
    return head;
  }

  /** Resolves when so much is stored, and Redis has heard of it. */
  saved(seq: number): Promise<void> {
    return eventually(
      `${seq} operations to be saved`,
      async () => (await this.stored()).seq >= seq && (await this.hot()).savedSeq >= seq,
      PATIENCE_MS,
    );
  }

  async hot(server: RedisServer = this.redis.server): Promise<{ epoch: number; seq: number; savedSeq: number }> {
    const fields = ['epoch', 'seq', 'savedSeq'];
    const row = await server.command((client) => client.hmget(KEYS.orderingMeta(SESSION), ...fields));
    const [epoch = 0, seq = 0, savedSeq = 0] = row.map(Number);
    return { epoch, seq, savedSeq };
  }

  /** Resolves when Redis has the session under a newer epoch than this. */
  reopened(epoch: number, server?: RedisServer): Promise<void> {
    return eventually('a newer epoch', async () => (await this.hot(server)).epoch > epoch, PATIENCE_MS);
  }

  /** Resolves when this place has the session under a newer epoch than this. */
  async followed(place: Place, epoch: number): Promise<void> {
    const visitor = new StageAuthor('visitor', SESSION);
    const isNewer = async (): Promise<boolean> => (await visitor.tryToJoin(place.server)) && visitor.epoch > epoch;
    await this.until(`${place.name} to go on under a newer epoch`, isNewer);
    visitor.leave();
  }

  /** Somebody at this place has been told so much. */
  heard(place: Place, seq: number): Promise<void> {
    return eventually(`${seq} at ${place.name}`, () => place.probe.chain.head.seq >= seq, PATIENCE_MS);
  }

  /** Somebody is told that everything is saved which a server says to be. */
  async toldSaved(server?: RedisServer): Promise<void> {
    const { savedSeq } = await this.hot(server);
    await this.until(`somebody to be told that ${savedSeq} is saved`, () => this.#ledger.marks.has(savedSeq));
  }

  /** A step of the scene. */
  until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    return eventually(what, check, PATIENCE_MS);
  }

  // ————— what goes wrong

  /** Its saves do not begin until the answered function is called. */
  holdSaves(place: Place): () => void {
    const held = gate();
    place.store.heldSaves = held.opened;
    return () => {
      if (place.store.heldSaves === held.opened) place.store.heldSaves = undefined;
      held.open();
    };
  }

  /** What the store knows of a client is read while `cause` is under way, and comes when the answered function is called. */
  async lateClientRow({ store }: Place, cause: () => Promise<unknown>): Promise<() => Promise<void>> {
    const held = gate();
    const { clientRowsRead } = store.counts;
    store.heldClientRows = held.opened;
    const caused = cause();
    await this.until('the row of a client to be read', () => store.counts.clientRowsRead > clientRowsRead);
    store.heldClientRows = undefined;
    return async () => {
      held.open();
      await caused;
    };
  }

  /** Nothing that it does has any effect from now on. */
  die(place: Place): void {
    this.#dead.add(place);
    place.store.heldSaves = NEVER;
    this.lead(place, NOWHERE);
  }

  /** Its connections to Redis end, and the next ones lead there. */
  lead({ line }: Place, port: number): void {
    line.target = port;
    line.cut();
  }

  /** The next hints do not come to this place; resolves when so many are lost. */
  async loseHints({ line }: Place, count: number, cause: () => Promise<unknown>): Promise<void> {
    const { lost } = line.counts;
    line.hints = 'lose';
    await cause();
    await this.until(`${count} hints to be lost`, () => line.counts.lost >= lost + count);
    line.hints = 'pass';
  }

  async loseHotLog(): Promise<void> {
    await this.redis.server.command((client) => client.del(...KEYS_OF_LOG));
  }

  copyHotLog(): Promise<Copy> {
    return this.redis.server.command(async (client) => {
      const copy: Array<[string, Buffer]> = [];
      for (const key of KEYS_OF_LOG) {
        const dump = await client.dumpBuffer(key);
        if (dump) copy.push([key, dump]);
      }
      return copy;
    });
  }

  /** Redis has again what it had then. */
  async fallBackTo(copy: Copy): Promise<void> {
    await this.redis.server.command(async (client) => {
      const steps = client.multi().del(...KEYS_OF_LOG);
      for (const [key, dump] of copy) steps.restore(key, 0, dump);
      await steps.exec();
    });
  }

  // ————— the end

  /** Waits for what must come; that it does not is a violation. */
  async within(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    const isShort = this.#expected === 'wait';
    const isEnough = (): boolean => this.#expected !== undefined && this.#trace.invariantsBroken.has(this.#expected);
    try {
      await eventually(what, async () => isEnough() || (await check()), isShort ? SHORT_PATIENCE_MS : PATIENCE_MS);
    } catch (fault) {
      this.#trace.violated('wait', fault instanceof Error ? fault.message : String(fault));
    }
  }

  /** Everybody sends again what they have written; when all of it is saved and told, what was told is held against what is stored. */
  async end(): Promise<readonly Violation[]> {
    const alive = [this.near, this.far].filter((place) => !this.#dead.has(place));
    const [refuge] = alive;
    if (!refuge) throw new Error('somebody must live');
    await this.within('everything to be accepted, saved and told', async () => {
      for (const author of this.#authors) if (!(await author.resend(refuge.server))) return false;
      const { seq, tag } = await this.stored();
      if (seq < (await this.hot()).seq) return false;
      return alive.every((place) => !this.#watched.has(place) || place.probe.chain.head.tag === tag);
    });
    await this.#ledger.settled();
    const history = await this.#truth.operationLog.readAfter(SESSION, 0, Number.MAX_SAFE_INTEGER);
    judge(this.#trace, { history, ledger: this.#ledger, authors: this.#authors });
    return this.#trace.violations;
  }

  async stop(): Promise<void> {
    const places = [this.near, this.far];
    await Promise.all(places.map(({ probe }) => probe.detach()));
    for (const author of this.#authors) author.leave();
    await Promise.all(places.map(({ server }) => server.stop()));
    await this.redis.stop();
  }
}

const KEYS_OF_LOG = [KEYS.orderingMeta(SESSION), KEYS.orderingLog(SESSION), KEYS.orderingClients(SESSION)];

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
