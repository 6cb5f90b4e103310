import type { FlowClient } from '../../../src/client/flow-client';
import type { FlowYjsProvider } from '../../../src/client/yjs-provider';
import type { createFlow } from '../../../src/flow';
import { systemClock } from '../../../src/lib/clock';
import type { EventOrdering } from '../../../src/ordering/event-ordering';
import { MemoryEventOrdering } from '../../../src/ordering/memory-event-ordering';
import type { Entry } from '../../../src/protocol/entry';
import type { Format } from '../../../src/protocol/schemas';
import type { DocumentStore } from '../../../src/storage/document-store';
import type { SaveResult, SessionSave } from '../../../src/storage/operation-log';
import { eventually } from '../eventually';
import { Author } from './author';
import { Dice } from './dice';
import { Freezer } from './freezer';
import type { SharedLog } from './hot-log';
import { Instance } from './instance';
import { noOrderingFaults, OrderingView, type OrderingFaults } from './ordering-view';
import type { Plan } from './plan';
import { SavedLedger } from './saved-ledger';
import { elapsed } from './pipe';
import { Severance } from './severance';
import { noStoreFaults, storeView, type StoreFaults } from './store-view';
import { TcpProxy } from './tcp-proxy';
import type { Trace } from './trace';
import { WireProbe } from './wire-probe';
import type { Authorship, WriterKind } from './writers';

/** What a schedule is run with: the real thing, or one with a rule switched off. */
export interface Parts {
  readonly createFlow: typeof createFlow;
  readonly FlowClient: typeof FlowClient;
  readonly FlowYjsProvider: typeof FlowYjsProvider;
  /** What all instances keep documents in. */
  readonly keptIn: DocumentStore;
  /** Where several instances share the order. */
  readonly hotLog: (sessionId: string) => SharedLog;
  /** Stands before the hot log, beyond the network. */
  readonly ordering: (ordering: EventOrdering) => EventOrdering;
  /** Stands between an instance and the store. */
  readonly store: (store: DocumentStore) => DocumentStore;
}

/** One place where a server runs, again and again. */
export interface Slot {
  readonly index: number;
  readonly ordering: OrderingFaults;
  readonly store: StoreFaults;
  readonly freezer: Freezer;
  readonly probes: readonly WireProbe[];
  /** Sessions that are open here. */
  readonly open: Set<string>;
  instance: Instance | null;
}

/** One document of the schedule. */
export interface Session {
  readonly sessionId: string;
  readonly format: Format;
  readonly ledger: SavedLedger;
  /** Where several instances share the order. */
  readonly hotLog: SharedLog;
  readonly authorships: Authorship[];
  /** Everything that was ever written into the store, by seq; the store may prune it. */
  readonly committed: Map<number, Entry>;
  epochsOpened: number;
  /** Runs when the order has given a batch its place, before anybody hears of it. */
  onAccepted: (by: Slot, clientId: string) => void;
  /** Runs when a server asks the order to admit a client, having read what the store knows of it. */
  onAdmitting: (by: Slot, clientId: string) => void;
}

const SECRET = 'the secret of a schedule';

/** Everything a schedule happens to: servers, store, order, lines, authors, probes. */
export class World {
  readonly plan: Plan;
  readonly parts: Parts;
  readonly trace: Trace;
  readonly dice: Dice;
  readonly sessions: readonly Session[];
  readonly slots: readonly Slot[];
  readonly authors: Author[] = [];
  /** The store itself, past all faults. */
  readonly truth: DocumentStore;
  readonly #proxies: TcpProxy[] = [];
  readonly #gone: Instance[] = [];
  /** In `process` mode: where new connections are led. */
  #activeSlot = 0;
  /** In `shared` mode: the only server to which new connections are led, if it is there. */
  onlySlot: Slot | null = null;

  constructor(plan: Plan, parts: Parts, trace: Trace) {
    this.plan = plan;
    this.parts = parts;
    this.trace = trace;
    this.dice = new Dice(plan.seed, 'world');
    this.truth = parts.keptIn;
    this.sessions = plan.sessions.map((format, index) => {
      const sessionId = `doc-${index}`;
      const committed = new Map<number, Entry>();
      // The store may have pruned what is below a snapshot.
      const storedTagAt = async (seq: number): Promise<string | null> =>
        (await this.truth.operationLog.tagAt(sessionId, seq)) ?? committed.get(seq)?.tag ?? null;
      return {
        sessionId,
        format,
        ledger: new SavedLedger(storedTagAt, trace),
        hotLog: parts.hotLog(sessionId),
        authorships: [],
        committed,
        epochsOpened: 0,
        onAccepted: () => {},
        onAdmitting: () => {},
      };
    });
    const slotCount = plan.mode === 'process' ? 2 : plan.instances;
    this.slots = Array.from({ length: slotCount }, (_, index) => ({
      index,
      ordering: noOrderingFaults(),
      store: noStoreFaults(),
      freezer: new Freezer(),
      probes: this.sessions.map(
        ({ sessionId, ledger }) =>
          new WireProbe(`the probe of ${sessionId} at ${index}`, {
            sessionId,
            ledger,
            trace,
            dice: this.dice.for(`probe ${sessionId} ${index}`),
          }),
      ),
      open: new Set(),
      instance: null,
    }));
  }

  async start(): Promise<void> {
    await this.truth.start();
    for (const { sessionId, format } of this.sessions) {
      const at = systemClock.now();
      const made = { createdBy: 'nobody', link: 'editor', createdAt: at, updatedAt: at } as const;
      const record = { sessionId, format, title: sessionId, ...made };
      await this.truth.sessionRecords.create(record);
    }
    const running = this.plan.mode === 'process' ? this.slots.slice(0, 1) : this.slots;
    await Promise.all(running.map((slot) => this.startInstance(slot)));
    for (const kind of this.plan.authors) await this.addAuthor(kind);
  }

  async stop(): Promise<void> {
    for (const author of this.authors) author.close();
    await Promise.all(this.slots.flatMap(({ probes }) => probes.map((probe) => probe.detach())));
    for (const { instance } of this.slots) instance?.kill();
    await Promise.all(
      [...this.#gone, ...this.slots.map(({ instance }) => instance)].map(async (each) => each?.ended()),
    );
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await this.truth.stop();
  }

  // ————— servers

  /** `probed`: the sessions its probes go to at once. */
  async startInstance(
    slot: Slot,
    probed: readonly string[] = this.sessions.map(({ sessionId }) => sessionId),
  ): Promise<Instance> {
    const severance = new Severance();
    const name = `server-${slot.index}`;
    const dice = this.dice.for(`${name} ${this.#gone.length}`);
    const fencedHere = new Set<string>();
    const { mode, config } = this.plan;
    const { parts, trace } = this;
    const own = new MemoryEventOrdering({ clock: systemClock });
    const ordering = new OrderingView({
      name,
      logOf: (sessionId) => parts.ordering(mode === 'process' ? own : this.session(sessionId).hotLog),
      scope: mode,
      isRemote: mode === 'shared',
      faults: slot.ordering,
      severance,
      freezer: slot.freezer,
      dice: dice.for('ordering'),
      trace,
      onAdmitting: (sessionId, clientId) => this.session(sessionId).onAdmitting(slot, clientId),
      onAccepted: (sessionId, clientId) => this.session(sessionId).onAccepted(slot, clientId),
      onRelease: (sessionId) => {
        slot.open.delete(sessionId);
        trace.count('sessions let go');
      },
    });
    const store = storeView({
      store: parts.keptIn,
      faults: slot.store,
      severance,
      freezer: slot.freezer,
      dice: dice.for('store'),
      trace,
      onSaved: (saves, results) => this.#onCommitted(saves, results, fencedHere),
      onEpochOpened: (sessionId, epoch) => {
        this.session(sessionId).epochsOpened += 1;
        trace.count('epochs');
        trace.note(`${name} opens epoch ${epoch} of ${sessionId}`);
        if (mode === 'process' && fencedHere.has(sessionId)) {
          trace.violated('fencing', `${name} was fenced and opened ${sessionId} again`);
        }
      },
    });
    const make = (): Instance =>
      new Instance({
        name,
        createFlow: parts.createFlow,
        config: { ...config, flowSecret: SECRET },
        store: parts.store(store),
        ordering,
        severance,
        log: trace.logger(name),
        hooks: {
          onSessionOpened: ({ sessionId }) => {
            if (!severance.isSevered) slot.open.add(sessionId);
          },
          onSaved: ({ sessionId, seq, tag }) => {
            if (!severance.isSevered) this.session(sessionId).ledger.reported({ seq, tag }, name);
          },
        },
      });
    const instance = await startAtLast(make, severance);
    slot.instance = instance;
    for (const probe of slot.probes) if (probed.includes(probe.sessionId)) probe.attach(instance.port);
    return instance;
  }

  /** Forgets what runs at a slot; it is cleared away at the end. */
  async vacate(slot: Slot): Promise<void> {
    if (slot.instance) this.#gone.push(slot.instance);
    slot.instance = null;
    slot.open.clear();
    await Promise.all(slot.probes.map((probe) => probe.detach()));
  }

  get serving(): readonly Slot[] {
    return this.slots.filter(({ instance }) => instance?.isServing);
  }

  get activeSlot(): Slot {
    return this.#slot(this.#activeSlot);
  }

  get standbySlot(): Slot {
    return this.#slot(1 - this.#activeSlot);
  }

  /** New connections are led to the other slot from now on. */
  switchOver(): void {
    this.#activeSlot = 1 - this.#activeSlot;
  }

  #slot(index: number): Slot {
    const slot = this.slots[index];
    if (!slot) throw new Error(`there is no slot ${index}`);
    return slot;
  }

  // ————— authors

  async addAuthor(kind: Exclude<WriterKind, 'yjs'>): Promise<Author> {
    const name = String.fromCharCode('a'.charCodeAt(0) + this.authors.length);
    const dice = this.dice.for(`author ${name}`);
    const proxy = new TcpProxy(() => this.#portFor(dice));
    await proxy.start();
    this.#proxies.push(proxy);
    const { parts, trace, sessions } = this;
    const author = new Author({
      name,
      kind,
      proxy,
      FlowClient: parts.FlowClient,
      FlowYjsProvider: parts.FlowYjsProvider,
      dice,
      trace,
      sessions: sessions.map(({ sessionId, format, ledger, authorships }) => {
        const authorship: Authorship = {
          sessionId,
          author: name,
          ledger,
          trace,
          dice,
          written: 0,
          forgiven: new Set(),
          bases: new Map(),
        };
        authorships.push(authorship);
        return { format, authorship };
      }),
    });
    this.authors.push(author);
    return author;
  }

  #portFor(dice: Dice): number | null {
    const only = this.plan.mode === 'process' ? this.activeSlot : this.onlySlot;
    const ready = only ? [only] : this.serving;
    const ports = ready.flatMap(({ instance }) => (instance?.isServing ? [instance.port] : []));
    return ports.length === 0 ? null : dice.pick(ports);
  }

  get written(): number {
    return this.authors.reduce((sum, author) => sum + author.written, 0);
  }

  session(sessionId: string): Session {
    const session = this.sessions.find((each) => each.sessionId === sessionId);
    if (!session) throw new Error(`there is no session ${sessionId}`);
    return session;
  }

  // ————— the store

  #onCommitted(saves: readonly SessionSave[], results: readonly SaveResult[], fencedHere: Set<string>): void {
    for (const [index, { sessionId, entries }] of saves.entries()) {
      const result = results[index];
      if (result?.status === 'fenced') fencedHere.add(sessionId);
      if (result?.status !== 'saved') {
        this.trace.note(`the store answers ${result?.status ?? 'nothing'} for ${sessionId}`);
        continue;
      }
      const { committed } = this.session(sessionId);
      for (const entry of entries) {
        const known = committed.get(entry.seq);
        if (known && known.tag !== entry.tag) {
          this.trace.violated(
            'saved',
            `the store had ${known.tag} at ${entry.seq} of ${sessionId}, and took ${entry.tag}`,
          );
        }
        committed.set(entry.seq, entry);
      }
    }
  }

  // ————— the end of all faults

  /** Everything works from now on. */
  heal(): void {
    for (const slot of this.slots) {
      slot.freezer.thaw();
      Object.assign(slot.ordering, noOrderingFaults());
      Object.assign(slot.store, noStoreFaults());
      for (const probe of slot.probes) probe.stay();
    }
    for (const { proxy } of this.authors) {
      proxy.isStalled = false;
      proxy.delayMs = 0;
      proxy.swallows = null;
    }
  }

  /** Waits, for a while, until everybody has everything; answers how long it took, or null and says what is missing. */
  async converge(deadlineMs: number): Promise<number | null> {
    const startedAt = performance.now();
    try {
      await eventually('everybody has everything', () => this.#demandConverged(), deadlineMs);
      return performance.now() - startedAt;
    } catch (fault) {
      this.trace.violated('wait', fault instanceof Error ? fault.message : String(fault));
      return null;
    }
  }

  async #demandConverged(): Promise<void> {
    for (const author of this.authors) if (!author.isSettled) throw new Error(author.describe());
    for (const { sessionId } of this.sessions) {
      const head = await this.truth.operationLog.head(sessionId);
      if (!head) throw new Error(`the store has no ${sessionId}`);
      const at = `${head.seq} ${head.tag}`;
      for (const author of this.authors) {
        const record = author.writers.find(({ session }) => session.sessionId === sessionId)?.record;
        if (!record || record.chain.head.tag !== head.tag)
          throw new Error(`${author.describe()}; ${sessionId} is at ${at}`);
      }
      for (const { probes, instance } of this.serving) {
        if (!instance) continue;
        const probe = probes.find((each) => each.sessionId === sessionId);
        if (!probe?.isSeated) throw new Error(`${probe?.name ?? 'a probe'} is not in the room`);
        const { chain } = probe;
        if (chain.head.tag !== head.tag) throw new Error(`${probe.name} is at ${chain.head.seq}, the store at ${at}`);
      }
    }
  }
}

const RESTART_MS = 20;

/** A server that finds the store refusing ends, and whatever watches over processes starts another one. */
async function startAtLast(make: () => Instance, severance: Severance): Promise<Instance> {
  for (;;) {
    const instance = make();
    try {
      await instance.start();
      return instance;
    } catch (fault) {
      if (severance.isSevered || codeOf(fault) !== 'STORE_UNAVAILABLE') throw fault;
      await elapsed(RESTART_MS);
    }
  }
}

/** Not by its class: a server with changed source has one of its own. */
const codeOf = (fault: unknown): unknown => (fault instanceof Error && 'code' in fault ? fault.code : undefined);
