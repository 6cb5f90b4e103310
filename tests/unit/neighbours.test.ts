import type { Following, InstanceBus } from '../../src/instances/instance-bus';
import { MemoryInstanceBus } from '../../src/instances/memory-instance-bus';
import { readMessage, type AwarenessState, type Member } from '../../src/live/neighbour-messages';
import { Neighbours } from '../../src/live/neighbours';
import { ManualClock, settle } from '../support/manual-clock';
import { seededRandom } from '../../src/tools/seeded-random';

const INTERVAL_MS = 50;
const BYTES_PER_SECOND = 65_536;
const ID = 's';

/** A bus that loses, doubles and delays what it is given. */
class LossyBus implements InstanceBus {
  /** Everything that was told, also what is lost. */
  readonly told: string[] = [];
  lost = 0;
  doubled = 0;
  late = 0;
  /** Share of messages that each of the three happens to. */
  trouble = 0;
  readonly #bus: MemoryInstanceBus;
  readonly #random: () => number;
  #held: Array<() => void> = [];

  constructor(bus: MemoryInstanceBus, random: () => number) {
    this.#bus = bus;
    this.#random = random;
  }

  follow(sessionId: string, onMessage: (message: string) => void): Following {
    return this.#bus.follow(sessionId, onMessage);
  }

  tell(sessionId: string, message: string): void {
    this.told.push(message);
    const deliver = (): void => this.#bus.tell(sessionId, message);
    const happens = (): boolean => this.#random() < this.trouble;
    if (happens()) {
      this.lost += 1;
      return;
    }
    if (happens()) {
      this.late += 1;
      this.#held.push(deliver);
      return;
    }
    if (happens()) {
      this.doubled += 1;
      deliver();
    }
    deliver();
    for (const held of this.#held.splice(0)) held();
  }

  kinds(): string[] {
    return this.told.map((text) => readMessage(text)?.kind ?? 'garbage');
  }
}

/** One instance's part of a session. */
class Side {
  readonly members = new Map<string, Member>();
  readonly states = new Map<string, AwarenessState>();
  readonly bus: LossyBus;
  readonly neighbours: Neighbours;
  recordsChanged = 0;
  /** Null: it cannot be known. */
  believed: Member[] | null = [];
  /** What was heard of, as somebody who listens believes it. */
  readonly heardMembers = new Set<string>();

  constructor(clock: ManualClock, hub: MemoryInstanceBus, random = seededRandom(1)) {
    this.bus = new LossyBus(new MemoryInstanceBus(hub), random);
    this.neighbours = new Neighbours({
      sessionId: ID,
      bus: this.bus,
      clock,
      intervalMs: INTERVAL_MS,
      bytesPerSecond: BYTES_PER_SECOND,
      here: this,
      believed: async () => {
        if (!this.believed) throw new Error('away');
        return this.believed;
      },
      listener: {
        came: ({ participant }) => this.heardMembers.add(participant.connectionId),
        left: ({ participant: { connectionId } }) => {
          if (!this.neighbours.hasMember(connectionId)) this.heardMembers.delete(connectionId);
        },
        pointed: () => {},
      },
      onRecordChanged: () => (this.recordsChanged += 1),
    });
  }

  async join(connectionId: string): Promise<void> {
    await this.neighbours.begin();
    this.members.set(connectionId, member(connectionId));
    this.neighbours.memberChanged(connectionId);
  }

  leave(connectionId: string): void {
    this.members.delete(connectionId);
    this.neighbours.memberChanged(connectionId);
    if (this.members.size === 0) this.neighbours.end();
  }

  point(awarenessId: string, clock: number, state: unknown): void {
    if (state === null) this.states.delete(awarenessId);
    else this.states.set(awarenessId, { awarenessId, clientId: 'c', clock, state });
    this.neighbours.stateChanged(awarenessId);
  }

  get membersElsewhere(): string[] {
    return [...this.neighbours.members()].map(({ participant }) => participant.connectionId).sort();
  }

  get statesElsewhere(): Record<string, unknown> {
    return Object.fromEntries([...this.neighbours.states()].map(({ awarenessId, state }) => [awarenessId, state]));
  }
}

const member = (connectionId: string, since = 1): Member => ({
  participant: { connectionId, clientId: `client-of-${connectionId}`, userId: 'u', role: 'editor' },
  since,
});

let clock: ManualClock;
let hub: MemoryInstanceBus;

beforeEach(() => {
  clock = new ManualClock();
  hub = new MemoryInstanceBus();
});

/** Everything that is under way arrives. */
const pass = (ms = 2 * INTERVAL_MS): Promise<void> => clock.advanceInSteps(ms, INTERVAL_MS / 2);

async function two(): Promise<[Side, Side]> {
  const [a, b] = [new Side(clock, hub), new Side(clock, hub)];
  await a.join('a1');
  await b.join('b1');
  await pass();
  return [a, b];
}

describe('[DL9] what instances tell each other of a session', () => {
  test('who begins asks once, hears everything, and is heard', async () => {
    const a = new Side(clock, hub);
    await a.join('a1');
    a.point('1', 7, 'here');
    await pass();
    const b = new Side(clock, hub);
    await b.join('b1');
    b.point('2', 1, 'there');
    await pass();
    expect([b.membersElsewhere, b.statesElsewhere]).toEqual([['a1'], { 1: 'here' }]);
    expect([a.membersElsewhere, a.statesElsewhere]).toEqual([['b1'], { 2: 'there' }]);
    expect([...b.bus.kinds(), ...a.bus.kinds()].filter((kind) => kind === 'begin' || kind === 'ask')).toHaveLength(2);
  });

  test('who is alone says that it begins, and then nothing, however much moves', async () => {
    const a = new Side(clock, hub);
    await a.join('a1');
    for (let move = 1; move <= 100; move += 1) {
      a.point('1', move, move);
      await pass(10);
      if (move % 20 === 0) a.neighbours.round(false);
    }
    expect(a.bus.kinds()).toEqual(['begin']);
  });

  test('one message per interval, however many have moved; it carries the last of each', async () => {
    const [a, b] = await two();
    a.bus.told.length = 0;
    for (let move = 1; move <= 100; move += 1) {
      for (let mover = 0; mover < 10; mover += 1) a.point(`${mover}`, move, move);
      clock.advance(5);
    }
    await pass();
    expect(a.bus.told.length).toBeLessThanOrEqual(2 + 500 / INTERVAL_MS);
    expect(b.statesElsewhere).toEqual(Object.fromEntries(Array.from({ length: 10 }, (_, mover) => [`${mover}`, 100])));
  });

  test('messages are bounded in bytes, and so is what is told per second; in the end everything is there', async () => {
    const [a, b] = await two();
    a.bus.told.length = 0;
    for (let mover = 0; mover < 60; mover += 1) a.point(`${mover}`, 1, 'x'.repeat(8_000));
    await pass(1_000);
    const bytes = a.bus.told.map(({ length }) => length);
    expect(Math.max(...bytes)).toBeLessThan(65_536 + 16_384);
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(3 * 65_536);
    await pass(10_000);
    expect(Object.keys(b.statesElsewhere)).toHaveLength(60);
  });

  test('who leaves, and what goes, is gone elsewhere; the last one takes everything along', async () => {
    const [a, b] = await two();
    await a.join('a2');
    a.point('1', 1, 'here');
    await pass();
    a.leave('a1');
    await pass();
    expect([b.membersElsewhere, b.statesElsewhere]).toEqual([['a2'], { 1: 'here' }]);
    a.point('1', 1, null);
    await pass();
    expect(b.statesElsewhere).toEqual({});
    a.leave('a2');
    await pass();
    expect([b.membersElsewhere, [...b.heardMembers]]).toEqual([[], []]);
  });

  test('an instance that says nothing for three rounds is gone; when it speaks again it is back', async () => {
    const [a, b] = await two();
    a.point('1', 1, 'here');
    await pass();
    for (let round = 1; round <= 2; round += 1) b.neighbours.round(true);
    expect(b.membersElsewhere).toEqual(['a1']);
    b.neighbours.round(true);
    expect([b.membersElsewhere, b.statesElsewhere, [...b.heardMembers]]).toEqual([[], {}, []]);
    a.neighbours.round(true);
    await pass();
    expect([b.membersElsewhere, b.statesElsewhere, [...b.heardMembers]]).toEqual([['a1'], { 1: 'here' }, ['a1']]);
  });

  test('a beat in every round keeps it, though nothing moves', async () => {
    const [a, b] = await two();
    for (let round = 0; round < 10; round += 1) {
      for (const side of [a, b]) side.neighbours.round(false);
      await pass();
    }
    expect([a.membersElsewhere, b.membersElsewhere]).toEqual([['b1'], ['a1']]);
    expect(a.bus.kinds().filter((kind) => kind === 'change')).toHaveLength(1);
  });

  test('both began unheard: the round in which others are known to be there brings them together', async () => {
    const [a, b] = [new Side(clock, hub), new Side(clock, hub)];
    for (const side of [a, b]) side.bus.trouble = 1;
    await a.join('a1');
    await b.join('b1');
    await pass();
    for (const side of [a, b]) side.bus.trouble = 0;
    a.point('1', 1, 'unheard');
    for (const side of [a, b]) side.neighbours.round(false);
    await pass();
    expect([a.membersElsewhere, b.membersElsewhere]).toEqual([[], []]);
    for (const side of [a, b]) side.neighbours.round(true);
    await pass();
    expect([a.membersElsewhere, b.membersElsewhere]).toEqual([['b1'], ['a1']]);
    expect(b.statesElsewhere).toEqual({ 1: 'unheard' });
  });

  test('whoever missed a message asks with the next one', async () => {
    const [a, b] = await two();
    a.bus.trouble = 1;
    a.point('1', 1, 'missed');
    await pass();
    a.bus.trouble = 0;
    expect(b.statesElsewhere).toEqual({});
    a.point('2', 1, 'heard');
    await pass();
    expect(b.statesElsewhere).toEqual({ 1: 'missed', 2: 'heard' });
    expect(b.bus.kinds().filter((kind) => kind === 'ask')).toHaveLength(1);
  });

  test('who was there before is believed, until somebody tells of them or a lease is over', async () => {
    const a = new Side(clock, hub);
    await a.join('a1');
    const b = new Side(clock, hub);
    b.believed = [member('a1', 0), member('dead', 0)];
    await b.join('b1');
    expect(b.membersElsewhere).toEqual(['a1', 'dead']);
    await pass();
    expect(b.membersElsewhere).toEqual(['a1', 'dead']);
    for (let round = 0; round < 3; round += 1) {
      a.neighbours.round(true);
      await pass();
      b.neighbours.round(true);
      await pass();
    }
    expect([b.membersElsewhere, [...b.heardMembers]]).toEqual([['a1'], ['a1']]);
    a.leave('a1');
    await pass();
    expect([...b.heardMembers]).toEqual([]);
  });

  test('whoever cannot learn who is there does not begin, and begins the next time', async () => {
    const a = new Side(clock, hub);
    a.believed = null;
    await expect(a.join('a1')).rejects.toThrow('away');
    a.believed = [member('z', 0)];
    await a.join('a1');
    expect(a.membersElsewhere).toEqual(['z']);
  });

  test('the record of the session is looked at when listening begins, and whenever another instance says so', async () => {
    const a = new Side(clock, hub);
    await settle();
    expect(a.recordsChanged).toBe(1);
    new MemoryInstanceBus(hub).tell(ID, '{"kind":"record"}');
    await settle();
    expect(a.recordsChanged).toBe(2);
  });

  test('garbage harms nobody', async () => {
    const [a, b] = await two();
    const stranger = new MemoryInstanceBus(hub);
    for (const text of [
      '',
      '{',
      '[]',
      '{"kind":"change"}',
      '{"kind":"__proto__"}',
      '{"kind":"beat","from":1,"number":-1}',
    ])
      stranger.tell(ID, text);
    a.point('1', 1, 'here');
    await pass();
    expect(b.statesElsewhere).toEqual({ 1: 'here' });
  });

  test('a session that is closed leaves no timer and hears nothing', async () => {
    const [a, b] = await two();
    a.neighbours.stop();
    b.neighbours.stop();
    expect(clock.pendingTimers).toBe(0);
    new MemoryInstanceBus(hub).tell(ID, '{"kind":"record"}');
    await settle();
    expect(a.recordsChanged).toBe(1);
  });
});

describe('[DL9] over a bus that loses, doubles and delays', () => {
  test.each(Array.from({ length: 30 }, (_, index) => 100 + index))(
    'seed %i: three quiet rounds later everybody knows everything, and nothing that is gone',
    async (seed) => {
      const random = seededRandom(seed);
      const sides = Array.from({ length: 3 }, () => new Side(clock, hub, random));
      for (const side of sides) side.bus.trouble = 0.25;
      let connections = 0;
      for (let step = 0; step < 200; step += 1) {
        const side = sides[Math.floor(random() * sides.length)];
        if (!side) continue;
        const known = [...side.members.keys()];
        const dice = random();
        if (known.length === 0 || dice < 0.15) await side.join(`x${(connections += 1)}`);
        else if (dice < 0.3) side.leave(known[Math.floor(random() * known.length)] ?? '');
        else {
          const awarenessId = `${sides.indexOf(side)}${Math.floor(random() * 4)}`;
          side.point(awarenessId, step, dice < 0.4 ? null : step);
        }
        if (dice > 0.95) for (const one of sides) one.neighbours.round(true);
        if (dice > 0.5) await pass(INTERVAL_MS / 2);
      }
      for (const side of sides) if (side.members.size === 0) await side.join(`x${(connections += 1)}`);
      for (const what of ['lost', 'doubled', 'late'] as const)
        expect(sides.reduce((sum, { bus }) => sum + bus[what], 0)).toBeGreaterThan(3);
      for (const side of sides) side.bus.trouble = 0;
      for (let round = 0; round < 2; round += 1) {
        for (const side of sides) side.neighbours.round(true);
        await pass(1_000);
      }
      const allOf = (part: 'members' | 'states', but: Side): string[] =>
        sides.flatMap((side) => (side === but ? [] : [...side[part].keys()])).sort();
      // Whoever missed a goodbye still believes a neighbour that is gone; a third round ends that.
      for (const side of sides) side.neighbours.round(true);
      await pass(1_000);
      for (const side of sides) {
        expect(side.membersElsewhere).toEqual(allOf('members', side));
        expect([...side.heardMembers].sort()).toEqual(allOf('members', side));
        expect(Object.keys(side.statesElsewhere).sort()).toEqual(allOf('states', side));
        for (const other of sides) {
          if (other === side) continue;
          for (const [awarenessId, { state }] of other.states) expect(side.statesElsewhere[awarenessId]).toEqual(state);
        }
      }
    },
  );
});
