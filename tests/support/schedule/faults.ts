import { eventually } from '../eventually';
import type { Author } from './author';
import type { OrderingFaults } from './ordering-view';
import { elapsed } from './pipe';
import type { PlannedFault } from './plan';
import type { Session, Slot, World } from './world';

/**
 * How long a fault waits for its chance before it is called a failure of the schedule, unless told otherwise. Snapshots
 * are folded by a thread that gives way to everybody: on a machine full of other work that takes its time.
 */
export const CHANCE_DEADLINE_MS = 45_000;
/** How soon somebody at the other end notices. */
const OUTAGE_MS = { least: 2, most: 60 };

/** Authors write all the time, and a flush takes milliseconds; a wide margin for a busy machine. */
const SAVING_DEADLINE_MS = 4_000;
/** Time for a server to open the session again, and for its readers to hear of it. */
const STAYING_MS = 80;
/** Several audits: so soon a new epoch begins when a hot log has vanished. */
const NEW_EPOCH_MS = 2_000;

/** Time for more than one reply to be lost. */
const LOSING_MS = 30;

/** An author on the way to another server. */
interface LedAway {
  author: Author | null;
  hasLedToNewEpoch(): boolean;
  /** The hot log had vanished before, and its new epoch begun. */
  isTooLate(): boolean;
}

/** Makes planned faults happen: each waits for its chance, counts that it really happened, and is over when its promise resolves. */
export class Faults {
  readonly #world: World;
  readonly #chanceDeadlineMs: number;
  readonly #turns = new Map<string, Promise<void>>();

  constructor(world: World, chanceDeadlineMs: number) {
    this.#world = world;
    this.#chanceDeadlineMs = chanceDeadlineMs;
  }

  async run(fault: PlannedFault): Promise<void> {
    const { trace } = this.#world;
    try {
      await this.#run(fault);
      if (!this.#isHopeless) trace.count(fault.kind);
    } catch (cause) {
      trace.violated('fault', `${fault.kind}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }

  /** One has found no chance: something is broken, and the others would wait in vain as well. */
  get #isHopeless(): boolean {
    return this.#world.trace.invariantsBroken.has('fault');
  }

  #run(fault: PlannedFault): Promise<void> {
    const { kind, ms, amount, isOdd } = fault;
    const author = this.#author(fault);
    const line = `the line of ${author.name}`;
    switch (kind) {
      case 'cut':
        return this.#oneByOne(line, () => this.#cut(author));
      case 'stall':
        return this.#oneByOne(line, () => this.#stall(author, ms));
      case 'lag':
        return this.#oneByOne(line, () => this.#lag(author, ms, amount));
      case 'swallow':
        return this.#oneByOne(line, () => this.#swallow(author, ms, isOdd ? 'up' : 'down'));
      case 'away':
        return this.#oneByOne(line, () => this.#away(author, amount * 4));
      case 'reload':
        return this.#oneByOne(line, () => author.reload());
      case 'kill':
        return this.#oneByOne('servers', () => this.#kill(this.#slot(fault)));
      case 'freeze':
        return this.#oneByOne('servers', () => this.#freeze(this.#slot(fault), ms));
      case 'drain':
        return this.#oneByOne('servers', () => this.#drain(this.#slot(fault)));
      case 'idle':
        return this.#oneByOne('servers', () => this.#idle());
      case 'stale log':
        return this.#oneByOne('servers', () => this.#staleLog(this.#session(fault), amount));
      case 'take over':
        return this.#oneByOne('servers', () =>
          this.#oneByOne('saves', () => this.#takeOver(this.#session(fault), ms, isOdd)),
        );
      case 'lose hints':
        return this.#disturb(fault, 'lost hints', { hintLoss: isOdd ? 1 : 0.4 });
      case 'double hints':
        return this.#disturb(fault, 'doubled hints', { hintDoubling: 0.5 });
      case 'reorder hints':
        return this.#disturb(fault, 'reordered hints', { hintReordering: 0.4 });
      case 'delay hints':
        return this.#disturb(fault, 'late hints', { hintDelayMs: 40 });
      case 'order away':
        return this.#disturb(fault, 'refused by the order', { isAway: true });
      case 'delay requests':
        return this.#disturb(fault, 'late requests', { requestDelayMs: 80 });
      case 'delay replies':
        return this.#oneByOne(kind, () => this.#delayReplies(ms));
      case 'lose replies':
        return this.#oneByOne(kind, () => this.#loseReplies(amount));
      case 'vanish':
        return this.#vanish(this.#session(fault));
      case 'fall back':
        return this.#fallBack(this.#session(fault), amount);
      case 'strand':
        return this.#oneByOne('saves', () => this.#strand(this.#session(fault)));
      case 'late admission':
        return this.#oneByOne('servers', () => this.#oneByOne('saves', () => this.#admitLate(this.#session(fault))));
      case 'refuse saves':
        return this.#oneByOne('saves', () =>
          this.#refuseSaves(this.#savingSlots(fault), isOdd ? 'written' : 'unwritten', ms),
        );
      case 'stall saves':
        return this.#oneByOne('saves', () => this.#stallSaves(this.#savingSlots(fault), ms));
      case 'snapshot':
        return this.#snapshot(author, this.#session(fault));
      case 'newcomer':
        // Not while everybody is to be away.
        return this.#oneByOne('servers', () => this.#newcomer());
    }
  }

  // ————— lines

  async #cut(author: Author): Promise<void> {
    await this.#eventually('a connection to cut', () => author.proxy.cut() > 0);
    this.#note(`cuts ${author.name}`);
  }

  async #stall({ name, proxy }: Author, ms: number): Promise<void> {
    proxy.isStalled = true;
    this.#note(`stalls ${name}`);
    await elapsed(ms);
    await this.#eventually('something to hold back', () => proxy.waiting > 0);
    proxy.isStalled = false;
    this.#note(`lets ${name} go on`);
  }

  async #lag({ proxy }: Author, ms: number, delayMs: number): Promise<void> {
    const { delayed } = proxy.bytes;
    proxy.delayMs = delayMs;
    await elapsed(ms);
    await this.#eventually('bytes to delay', () => proxy.bytes.delayed > delayed);
    proxy.delayMs = 0;
  }

  /** The connection looks alive while nothing comes through one way; then it ends. */
  async #swallow({ name, proxy }: Author, ms: number, direction: 'up' | 'down'): Promise<void> {
    const { swallowed } = proxy.bytes;
    proxy.swallows = direction;
    this.#note(`swallows what goes ${direction} at ${name}`);
    await elapsed(ms);
    await this.#eventually('bytes to swallow', () => proxy.bytes.swallowed > swallowed);
    proxy.cut();
    proxy.swallows = null;
    this.#note(`cuts ${name}`);
  }

  /** Long enough for the others to write so many operations. */
  async #away({ name, proxy }: Author, operations: number): Promise<void> {
    const unblock = proxy.block();
    proxy.cut();
    this.#note(`keeps ${name} away for ${operations} operations`);
    const { written } = this.#world;
    await this.#eventually('others to write', () => this.#world.written >= written + operations).finally(unblock);
    this.#note(`lets ${name} come back`);
  }

  // ————— servers

  async #kill(slot: Slot): Promise<void> {
    const { dice } = this.#world;
    await this.#eventually('a server to kill', () => slot.instance?.isServing === true);
    this.#note(`kills server-${slot.index}`);
    slot.instance?.kill();
    await this.#world.vacate(slot);
    await elapsed(dice.between(OUTAGE_MS.least, OUTAGE_MS.most));
    await this.#world.startInstance(slot);
    this.#note(`starts server-${slot.index}`);
  }

  /** As SIGSTOP and SIGCONT: the server goes on later with what it believed before. */
  async #freeze({ index, instance, freezer }: Slot, ms: number): Promise<void> {
    await this.#eventually('a server to freeze', () => instance?.isServing === true);
    const port = instance?.port ?? 0;
    const { held } = freezer;
    freezer.freeze();
    const thaws = this.#world.authors.map(({ proxy }) => proxy.stallFor(port));
    this.#note(`server-${index} freezes`);
    await elapsed(ms);
    await this.#eventually('something to wait', () => freezer.held > held).finally(() => {
      for (const thaw of thaws) thaw();
      freezer.thaw();
    });
    this.#note(`server-${index} goes on`);
  }

  async #drain(slot: Slot): Promise<void> {
    await this.#eventually('a server to drain', () => slot.instance?.isServing === true);
    this.#note(`drains server-${slot.index}`);
    const unsaved = await slot.instance?.drain();
    this.#note(`server-${slot.index} has ended, unsaved: ${unsaved?.join() || 'nothing'}`);
    await this.#world.vacate(slot);
    await this.#world.startInstance(slot);
  }

  /** Everybody leaves until every server has let go of every session; `meanwhile` something may happen to what they left behind. */
  async #idle(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const { authors, slots, trace } = this.#world;
    await this.#eventually('an open session', () => slots.some(({ open }) => open.size > 0));
    const released = trace.counts['sessions let go'] ?? 0;
    const unblocks = authors.map(({ proxy }) => proxy.block());
    for (const { proxy } of authors) proxy.cut();
    const probes = slots.flatMap((slot) => slot.probes);
    for (const probe of probes) probe.pause();
    this.#note('everybody leaves');
    await this.#eventually('sessions to be closed', async () => {
      if ((trace.counts['sessions let go'] ?? 0) === released || slots.some(({ open }) => open.size > 0)) return false;
      await meanwhile();
      return true;
    }).finally(() => {
      for (const unblock of unblocks) unblock();
      for (const probe of probes) probe.resume();
    });
    this.#note('everybody may come back');
  }

  /** Who comes back finds the hot log as it was before its last entries, as after a restart from an old dump (ST4, ST5). */
  async #staleLog({ sessionId, hotLog }: Session, entries: number): Promise<void> {
    let lost = 0;
    while (lost === 0) {
      await this.#eventually('entries to lose', () => hotLog.hasEntries);
      await this.#idle(async () => {
        lost = await hotLog.fallBack(entries);
      });
    }
    this.#note(`the hot log of ${sessionId} was found as it was ${lost} entries ago`);
  }

  /**
   * A second server starts on the same store while the first one is still there and, perhaps, cannot save. It takes one session at
   * first, and the first one goes on with the others. The first one opens nothing any more: whoever opens last has the session, and
   * the other does not take it back (ST5).
   */
  async #takeOver({ sessionId }: Session, ms: number, isStalled: boolean): Promise<void> {
    const world = this.#world;
    const old = world.activeSlot;
    const next = world.standbySlot;
    await this.#eventually('a server to replace that has everything open', () => {
      return old.instance?.isServing === true && old.open.size === world.sessions.length;
    });
    for (const probe of old.probes) probe.stay();
    old.store.isStalled = isStalled;
    const others = world.sessions.filter((session) => session.sessionId !== sessionId);
    const demands = others.map((session) => this.#savingDemandOf(session));
    const { port } = await world.startInstance(next, [sessionId]);
    world.switchOver();
    this.#note(`server-${next.index} takes ${sessionId}${isStalled ? ', the old server saves late' : ''}`);
    await elapsed(ms);
    old.store.isStalled = false;
    await elapsed(ms);
    await Promise.all(demands.map((demand) => demand()));
    for (const probe of next.probes) if (probe.sessionId !== sessionId) probe.attach(port);
    // What a load balancer does about a server that is not ready.
    for (const { proxy } of world.authors) proxy.cutFrom(old.instance?.port ?? 0);
    this.#note(`server-${old.index} is retired`);
    await old.instance?.drain();
    await world.vacate(old);
  }

  /**
   * ST6: the trouble of one session holds up no other; unless somebody whose line was cut has meanwhile brought that one to the next
   * server, too.
   */
  #savingDemandOf(session: Session): () => Promise<void> {
    const { sessionId, committed, epochsOpened } = session;
    return async () => {
      const before = committed.size;
      const isDone = (): boolean => committed.size > before || session.epochsOpened > epochsOpened;
      await eventually(`${sessionId} to be saved`, isDone, SAVING_DEADLINE_MS).catch(() => {
        this.#world.trace.violated('wait', `saved stands still for ${sessionId}, which nobody took`);
      });
    };
  }

  // ————— order and store

  #disturb(fault: PlannedFault, counted: string, change: Partial<OrderingFaults>): Promise<void> {
    const { trace } = this.#world;
    const slot = this.#slot(fault);
    return this.#oneByOne(`the order at ${slot.index}`, async () => {
      const before = trace.counts[counted] ?? 0;
      const healthy = { ...slot.ordering };
      Object.assign(slot.ordering, change);
      this.#note(`${fault.kind} at server-${slot.index}`);
      await elapsed(fault.ms);
      await this.#eventually(counted, () => (trace.counts[counted] ?? 0) > before).finally(() => {
        for (const name of Object.keys(change)) Reflect.set(slot.ordering, name, Reflect.get(healthy, name));
      });
      this.#note(`${fault.kind} at server-${slot.index} is over`);
    });
  }

  /** Appends come only where clients are, so these happen at every server. */
  async #delayReplies(ms: number): Promise<void> {
    const { trace, slots } = this.#world;
    const before = trace.counts['late replies'] ?? 0;
    for (const { ordering } of slots) ordering.replyDelayMs = 40;
    this.#note('replies of the order are late');
    await elapsed(ms);
    await this.#eventually('an append', () => (trace.counts['late replies'] ?? 0) > before);
    for (const { ordering } of slots) ordering.replyDelayMs = 0;
    this.#note('replies of the order are in time again');
  }

  async #loseReplies(count: number): Promise<void> {
    const { trace, slots } = this.#world;
    const before = trace.counts['lost replies'] ?? 0;
    for (const { ordering } of slots) ordering.repliesToLose = count;
    this.#note(`up to ${count} replies of the order to each server are lost`);
    await this.#eventually('an accepted append', () => (trace.counts['lost replies'] ?? 0) > before);
    await elapsed(LOSING_MS);
    for (const { ordering } of slots) ordering.repliesToLose = 0;
  }

  async #vanish({ sessionId, hotLog }: Session): Promise<void> {
    await this.#eventually('a hot log to lose', () => hotLog.vanish());
    this.#note(`the hot log of ${sessionId} vanishes`);
  }

  async #fallBack({ sessionId, hotLog }: Session, entries: number): Promise<void> {
    let lost = 0;
    await this.#eventually('entries to lose', async () => {
      lost = await hotLog.fallBack(entries);
      return lost > 0;
    });
    this.#note(`the hot log of ${sessionId} falls back by ${lost} entries`);
  }

  /**
   * The hot log vanishes with an entry that only one server has heard of, and this one comes too late to save it: what it has
   * delivered is void (DL4).
   */
  async #strand(session: Session): Promise<void> {
    const { slots } = this.#world;
    const { sessionId, hotLog } = session;
    const probes = slots.flatMap((slot) => slot.probes).filter((probe) => probe.sessionId === sessionId);
    let epochsThen = Number.POSITIVE_INFINITY;
    for (const { ordering } of slots) ordering.isMute = true;
    session.onAccepted = ({ index, store }) => {
      session.onAccepted = () => {};
      epochsThen = session.epochsOpened;
      store.isStalled = true;
      for (const probe of probes) probe.stay();
      void hotLog.vanish();
      this.#note(`the hot log of ${sessionId} vanishes with an entry of server-${index}`);
    };
    await this.#eventually('an entry to strand, and another epoch', () => session.epochsOpened > epochsThen);
    for (const { ordering, store } of slots) {
      ordering.isMute = false;
      store.isStalled = false;
    }
    this.#note('all hear of each other again');
    await elapsed(STAYING_MS);
    for (const probe of probes) probe.roam();
  }

  /**
   * A client comes to another server with an entry that this one has not heard of and the store does not have. Before the server's
   * request reaches the order, the hot log is gone and a new epoch has begun, on a history with the entry (EO7). Where another fault
   * was quicker, and the hot log gone already, another client is waited for.
   */
  async #admitLate(session: Session): Promise<void> {
    const { slots } = this.#world;
    for (const { ordering } of slots) ordering.isMute = true;
    let led = this.#leadAway(session);
    await this.#eventually('a late admission, and another epoch', () => {
      if (led.hasLedToNewEpoch()) return;
      const seen = led.author?.describe() ?? 'nobody was led away';
      if (led.isTooLate()) led = this.#leadAway(session);
      throw new Error(seen);
    });
    this.#world.onlySlot = null;
    for (const { ordering } of slots) Object.assign(ordering, { isMute: false, isLate: false });
    this.#note('all hear of each other again');
  }

  /** Waits for an entry, and leads its author from the server that has it to another one. */
  #leadAway(session: Session): LedAway {
    const world = this.#world;
    const { sessionId, hotLog } = session;
    let vanished: { readonly epochsThen: number; readonly at: number } | null = null;
    const led: LedAway = {
      author: null,
      hasLedToNewEpoch: () => vanished !== null && session.epochsOpened > vanished.epochsThen,
      isTooLate: () => vanished !== null && performance.now() - vanished.at > NEW_EPOCH_MS,
    };
    session.onAccepted = (old, clientId) => {
      const author = world.authors.find((each) => each.clientIdIn(sessionId) === clientId);
      const next = world.serving.find((slot) => slot !== old);
      if (!author || !next) return;
      session.onAccepted = () => {};
      old.store.isStalled = true;
      next.ordering.isLate = true;
      world.onlySlot = next;
      led.author = author;
      author.proxy.cut();
      this.#note(`${author.name} is led to server-${next.index}`);
      session.onAdmitting = (slot, admitted) => {
        // A tab that was opened again may be another client, of which nothing is known yet.
        if (slot !== next || admitted !== (author.clientIdIn(sessionId) ?? admitted)) return;
        session.onAdmitting = () => {};
        old.store.isStalled = false;
        vanished = { epochsThen: session.epochsOpened, at: performance.now() };
        void hotLog.vanish();
        this.#note(`the hot log of ${sessionId} vanishes before ${author.name} is admitted there`);
      };
    };
    return led;
  }

  async #refuseSaves(slots: readonly Slot[], refuses: 'written' | 'unwritten', ms: number): Promise<void> {
    const { trace } = this.#world;
    const counted = refuses === 'written' ? 'written and refused by the store' : 'refused by the store';
    const before = trace.counts[counted] ?? 0;
    for (const { store } of slots) store.refuses = refuses;
    this.#note(`the store refuses what comes from ${namesOf(slots)}, ${refuses}`);
    await elapsed(ms);
    await this.#eventually('something to refuse', () => (trace.counts[counted] ?? 0) > before);
    for (const { store } of slots) store.refuses = null;
    this.#note('the store refuses nothing any more');
  }

  async #stallSaves(slots: readonly Slot[], ms: number): Promise<void> {
    const { trace } = this.#world;
    const before = trace.counts['stalled saves'] ?? 0;
    for (const { store } of slots) store.isStalled = true;
    this.#note(`saves of ${namesOf(slots)} stall`);
    await elapsed(ms);
    await this.#eventually('a save to stall', () => (trace.counts['stalled saves'] ?? 0) > before);
    for (const { store } of slots) store.isStalled = false;
    this.#note('saves go on');
  }

  // ————— readers

  /** Of a json document, an author offers a snapshot; Yjs documents get theirs from the server. */
  async #snapshot(author: Author, { sessionId, format }: Session): Promise<void> {
    if (format === 'yjs') {
      return this.#eventually('a snapshot', async () => {
        return (await this.#world.truth.snapshots.latest(sessionId)) !== null;
      });
    }
    await this.#eventually('a snapshot to be taken', async () => {
      const writer = author.writers.find(({ session }) => session.sessionId === sessionId);
      if (!writer?.session.isLive) return false;
      const { session, record } = writer;
      const at = record.chain.markAtOrBelow(session.savedMark.seq);
      if (at.seq === 0) return false;
      await session.offerSnapshot(at, { ids: record.idsUpTo(at.seq) });
      this.#note(`${author.name} offers a snapshot of ${sessionId} at ${at.seq}`);
      return true;
    });
  }

  async #newcomer(): Promise<void> {
    const { name } = await this.#world.addAuthor('reads');
    this.#note(`${name} comes to read`);
  }

  // ————— details

  /** Faults that would undo each other take turns. */
  #oneByOne(what: string, run: () => Promise<void>): Promise<void> {
    const done = (this.#turns.get(what) ?? Promise.resolve()).then(() => (this.#isHopeless ? undefined : run()));
    this.#turns.set(
      what,
      done.catch(() => {}),
    );
    return done;
  }

  #author({ kind, author }: PlannedFault): Author {
    const { authors } = this.#world;
    const able = kind === 'reload' ? authors.filter(({ canReload }) => canReload) : authors;
    return pickBy(able, author);
  }

  #slot({ slot }: PlannedFault): Slot {
    const { plan, slots, activeSlot } = this.#world;
    return plan.mode === 'process' ? activeSlot : pickBy(slots, slot);
  }

  /** Who saves in `process` mode may change while a fault lasts. */
  #savingSlots(fault: PlannedFault): readonly Slot[] {
    return this.#world.plan.mode === 'process' ? this.#world.slots : [this.#slot(fault)];
  }

  #session({ session }: PlannedFault): Session {
    return pickBy(this.#world.sessions, session);
  }

  #note(text: string): void {
    this.#world.trace.note(text);
  }

  #eventually(what: string, check: () => boolean | void | Promise<boolean>): Promise<void> {
    return eventually(what, check, this.#chanceDeadlineMs);
  }
}

const namesOf = (slots: readonly Slot[]): string => slots.map(({ index }) => `server-${index}`).join(' and ');

function pickBy<Item>(items: readonly Item[], number: number): Item {
  const item = items[number % items.length];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}
