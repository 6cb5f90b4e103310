import { MemoryStorage } from '../../../src/client/memory-storage';
import { FlowSession } from '../../../src/client/session';
import { StoredQueue, type QueueLocks, type QueueRecord, type QueueStorage } from '../../../src/client/stored-queue';
import { FlowError } from '../../../src/protocol/errors';
import { settle } from '../../support/manual-clock';
import { seededRandom } from '../../../src/tools/seeded-random';
import { SimulatedClock, SimulatedLink } from './simulated-link';
import { SimulatedServer } from './simulated-server';

export interface ScheduleOptions {
  readonly seed: number;
  readonly steps: number;
  readonly submitters: number;
  readonly proposers: number;
  /** Tabs with a stored queue, which are reloaded now and then. */
  readonly reloaders: number;
  /** Locks that do not lock, so that two tabs can speak for one client. */
  readonly hasBrokenLocks?: boolean;
  /** False: the server can always tell what went into a snapshot. */
  readonly hasPruning?: boolean;
  /** Now and then the storage takes no record of more than a few operations, or none at all. */
  readonly hasFullStorage?: boolean;
  /** Nor can what it has be taken away then. */
  readonly isStorageStuck?: boolean;
  /** How long everything may take to become quiet again. */
  readonly healingRounds?: number;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** A tab: an editor whose document is the list of operations it was given, in order. */
class Tab {
  readonly link: SimulatedLink;
  readonly session: FlowSession;
  readonly view: unknown[] = [];
  readonly violations: string[] = [];
  /** What a proposer still wants to have placed. */
  readonly wanted: string[] = [];
  isProposing = false;
  isAlive = true;
  savedSeq = 0;

  constructor(
    readonly name: string,
    readonly isProposer: boolean,
    server: SimulatedServer,
    clock: SimulatedClock,
    random: () => number,
    stored: StoredQueue | null,
  ) {
    this.link = new SimulatedLink(server);
    this.session = new FlowSession({
      sessionId: 's',
      connection: this.link,
      clock,
      random,
      backoff: { firstMs: 10, ceilingMs: 100 },
      requestDeadlineMs: 100_000,
      maxHeldBytes: 1_000_000,
      stored,
      onClosed: () => {},
    });
    this.session.on('reset', ({ snapshot }) => this.#become(Array.isArray(snapshot?.payload) ? snapshot.payload : []));
    this.session.on('fork', ({ rolledBack }) => {
      const taken = rolledBack.flatMap(({ operations }) => operations);
      const tail = this.view.splice(this.view.length - taken.length);
      if (JSON.stringify(tail) !== JSON.stringify(taken))
        this.violations.push(`${name}: rolled back what was not delivered last`);
    });
    this.session.on('entries', ({ entries, head }) => {
      this.view.push(...entries.flatMap(({ operations }) => operations));
      if (this.view.length !== head.seq)
        this.violations.push(`${name}: ${this.view.length} operations at seq ${head.seq}`);
    });
    this.session.on('withdrawn', ({ proposals }) => this.wanted.unshift(...proposals.flat().map(String)));
    this.session.on('status', (status) => {
      if (status.state === 'refused') this.violations.push(`${name}: refused: ${status.reason.code}`);
    });
    this.session.join().catch(() => {});
  }

  propose(): void {
    const [operation] = this.wanted;
    if (operation === undefined || this.isProposing || !this.isAlive || !this.session.isLive) return;
    this.isProposing = true;
    this.session.propose([operation], this.session.head).then(
      ({ status }) => {
        this.isProposing = false;
        if (status === 'accepted') this.wanted.splice(this.wanted.indexOf(operation), 1);
      },
      (error: unknown) => {
        this.isProposing = false;
        if (error instanceof FlowError && error.code !== 'BAD_REQUEST')
          this.violations.push(`${this.name}: ${error.code}`);
      },
    );
  }

  #become(operations: unknown[]): void {
    this.view.splice(0, this.view.length, ...operations);
  }
}

/** Storage and locks as one tab sees them: they die with the tab. */
class TabStorage implements QueueStorage, QueueLocks {
  isAlive = true;
  readonly #releases: Array<() => void> = [];

  constructor(
    readonly storage: MemoryStorage,
    readonly held: Set<string>,
    readonly isBroken: boolean,
    /** Takes no record of more operations. */
    readonly quota: { operations: number; isStuck: boolean },
  ) {}

  load(key: string): Promise<QueueRecord | null> {
    return this.storage.load(key);
  }

  async save(key: string, record: QueueRecord): Promise<void> {
    await settle();
    if (!this.isAlive) return new Promise(() => {});
    const operations = record.pending.length + record.batches.flatMap((batch) => batch.operations).length;
    if (operations > this.quota.operations) throw new Error('The quota is exceeded.');
    await this.storage.save(key, record);
  }

  async clear(key: string): Promise<void> {
    if (this.quota.isStuck) throw new Error('The storage is stuck.');
    await this.storage.clear(key);
  }

  async tryAcquire(name: string): Promise<(() => void) | null> {
    if (this.held.has(name) && !this.isBroken) return null;
    this.held.add(name);
    const release = (): void => void this.held.delete(name);
    this.#releases.push(release);
    return release;
  }

  die(): void {
    this.isAlive = false;
    for (const release of this.#releases) release();
  }
}

/** Runs a random schedule of writing, delivery, cuts, kills, forks and reloads, lets everything heal, and says what broke. */
export async function runSchedule(options: ScheduleOptions): Promise<Outcome> {
  const random = seededRandom(options.seed);
  const chance = (probability: number): boolean => random() < probability;
  const server = new SimulatedServer();
  const clock = new SimulatedClock();
  const storage = new MemoryStorage();
  const heldLocks = new Set<string>();
  const quota = { operations: Number.POSITIVE_INFINITY, isStuck: options.isStorageStuck ?? false };
  const tabStorages = new Map<Tab, TabStorage>();
  const graveyard: SimulatedLink[] = [];
  const violations: string[] = [];
  const submitted: string[] = [];
  /** Died with a tab before they were stored. */
  const forgiven = new Set<string>();
  const counts = {
    submits: 0,
    proposals: 0,
    cuts: 0,
    kills: 0,
    forks: 0,
    reloads: 0,
    unsavedAtKill: 0,
    storagesFull: 0,
  };
  let nextOperation = 1;

  const openTab = (name: string, isProposer: boolean, isStored: boolean): Tab => {
    const tabStorage = isStored ? new TabStorage(storage, heldLocks, options.hasBrokenLocks ?? false, quota) : null;
    const stored = tabStorage ? new StoredQueue('s', tabStorage, tabStorage) : null;
    const tab = new Tab(name, isProposer, server, clock, random, stored);
    if (tabStorage) tabStorages.set(tab, tabStorage);
    return tab;
  };
  let tabs: Tab[] = [];
  for (let index = 0; index < options.submitters; index += 1) tabs.push(openTab(`submitter${index}`, false, false));
  for (let index = 0; index < options.proposers; index += 1) tabs.push(openTab(`proposer${index}`, true, false));
  for (let index = 0; index < options.reloaders; index += 1) tabs.push(openTab(`reloader${index}`, false, true));

  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)];

  const write = (tab: Tab): void => {
    const operations = Array.from({ length: 1 + Math.floor(random() * 3) }, () => `${tab.name}:${nextOperation++}`);
    if (tab.isProposer) {
      counts.proposals += 1;
      submitted.push(...operations);
      tab.wanted.push(...operations);
      return;
    }
    counts.submits += 1;
    submitted.push(...operations);
    tab.session.submit(operations);
  };

  const reload = async (tab: Tab): Promise<void> => {
    const tabStorage = tabStorages.get(tab);
    if (!tabStorage) return;
    counts.reloads += 1;
    tab.isAlive = false;
    tabStorage.die();
    tab.link.cut(() => chance(0.8));
    graveyard.push(tab.link);
    const records = await Promise.all(storage.keys.map((key) => storage.load(key)));
    const kept = new Set(
      records.flatMap((record) => [
        ...(record?.batches.flatMap(({ operations }) => operations) ?? []),
        ...(record?.pending ?? []),
      ]),
    );
    for (const { operation } of tab.session.heldOperations()) if (!kept.has(operation)) forgiven.add(String(operation));
    tabStorages.delete(tab);
    tabs = tabs.filter((other) => other !== tab);
    tabs.push(openTab(tab.name, false, true));
  };

  const deliverSome = (messages: Array<() => void>): void => {
    for (const arrive of messages.splice(0, 1 + Math.floor(random() * 4))) arrive();
  };

  const step = async (): Promise<void> => {
    const tab = pick(tabs);
    if (!tab) return;
    if (options.hasFullStorage && chance(0.05)) {
      const isFull = quota.operations < Number.POSITIVE_INFINITY;
      if (!isFull) counts.storagesFull += 1;
      quota.operations = isFull ? Number.POSITIVE_INFINITY : Math.floor(random() * 5) - 1;
    }
    const roll = random();
    if (roll < 0.16) write(tab);
    else if (roll < 0.42) deliverSome(tab.link.toServer);
    else if (roll < 0.66) deliverSome(tab.link.toClient);
    else if (roll < 0.72) server.flush();
    else if (roll < 0.77) server.save(1 + Math.floor(random() * 4));
    else if (roll < 0.86) tab.link.open();
    else if (roll < 0.9) clock.runNext(200);
    else if (roll < 0.93) deliverSome(pick([...graveyard, ...tabs.map(({ link }) => link)])?.late ?? []);
    else if (roll < 0.96) {
      counts.cuts += 1;
      tab.link.cut(() => chance(0.8));
    } else if (roll < 0.97) await reload(tab);
    else if (roll < 0.98) {
      counts.kills += 1;
      if (server.savedSeq < server.head.seq) counts.unsavedAtKill += 1;
      for (const { link } of tabs) link.cut(() => false);
      for (const { late } of [...graveyard, ...tabs.map(({ link }) => link)]) late.length = 0;
      server.kill();
    } else if (roll < 0.987) {
      counts.forks += 1;
      for (const { late } of [...graveyard, ...tabs.map(({ link }) => link)]) late.length = 0;
      server.fork();
    } else if (roll < 0.993) server.reopen();
    else if (roll < 0.998) server.fold();
    else if (options.hasPruning ?? true) server.prune();
    for (const proposer of tabs) if (proposer.isProposer) proposer.propose();
    await settle();
  };

  for (let index = 0; index < options.steps; index += 1) await step();

  // Everything heals: no more faults, every message arrives.
  quota.operations = Number.POSITIVE_INFINITY;
  const isQuiet = (): boolean =>
    tabs.every(
      ({ link, session, wanted }) => link.isConnected && session.status.state === 'synced' && wanted.length === 0,
    );
  for (let round = 0; round < (options.healingRounds ?? 2_000) && !isQuiet(); round += 1) {
    for (const { link } of tabs) {
      link.open();
      for (const arrive of link.toServer.splice(0)) arrive();
      server.flush();
      for (const arrive of link.toClient.splice(0)) arrive();
    }
    server.save(1_000);
    clock.runNext(1_000);
    for (const tab of tabs) tab.propose();
    await settle();
  }

  const history = server.entries.flatMap(({ operations }) => operations).map(String);
  if (!isQuiet()) {
    violations.push(
      `not quiet: ${tabs.map(({ name, session, wanted }) => `${name} ${JSON.stringify(session.status)} wants ${wanted.length}`).join('; ')}`,
    );
  }
  const times = new Map<string, number>();
  for (const operation of history) times.set(operation, (times.get(operation) ?? 0) + 1);
  for (const [operation, count] of times)
    if (count > 1) violations.push(`${operation} is in the history ${count} times`);
  for (const operation of submitted) {
    if (!times.has(operation) && !forgiven.has(operation)) violations.push(`${operation} was lost`);
  }
  for (const { name, view, violations: own } of tabs) {
    violations.push(...own);
    if (JSON.stringify(view) !== JSON.stringify(history))
      violations.push(`${name} shows another document than the history`);
  }
  violations.push(...disorder(history));
  for (const { session } of tabs) session.close();
  await settle();
  if (clock.size > 0) violations.push(`${clock.size} timers are left`);
  return { violations, counts: { ...counts, ...prefixed(server.counts) } };
}

const prefixed = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [`server.${name}`, count]));

/** Each author's operations are numbered as they were written; a proposer's may be written in another order. */
function disorder(history: readonly string[]): string[] {
  const last = new Map<string, number>();
  return history.flatMap((operation) => {
    const [author = '', number = ''] = operation.split(':');
    if (author.startsWith('proposer')) return [];
    const isInOrder = Number(number) > (last.get(author) ?? 0);
    last.set(author, Number(number));
    return isInOrder ? [] : [`${operation} is out of its author's order`];
  });
}
