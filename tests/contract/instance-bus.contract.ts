import type { Following, InstanceBus } from '../../src/instances/instance-bus';
import { eventually } from '../support/eventually';

/** Two instances on one backend. */
export interface BusNodes {
  readonly one: InstanceBus;
  readonly other: InstanceBus;
  stop(): Promise<void>;
}

export function instanceBusContract(backend: string, start: () => Promise<BusNodes>): void {
  describe(`the bus between instances on ${backend}`, () => {
    let nodes: BusNodes;
    let one: InstanceBus;
    let other: InstanceBus;
    let followed: Following[];

    beforeEach(async () => {
      followed = [];
      nodes = await start();
      ({ one, other } = nodes);
    });

    afterEach(async () => {
      for (const following of followed) following.end();
      await nodes.stop();
    });

    /** What is heard from now on. */
    async function heardBy(bus: InstanceBus, sessionId = 's'): Promise<string[]> {
      const heard: string[] = [];
      const following = bus.follow(sessionId, (message) => heard.push(message));
      followed.push(following);
      await following.begun;
      return heard;
    }

    const tellAndWait = async (from: InstanceBus, heard: string[], message: string): Promise<void> => {
      from.tell('s', message);
      await eventually(`"${message}" is heard`, () => heard.includes(message));
    };

    test('others hear what one says, whatever it is made of', async () => {
      const heard = await heardBy(other);
      const said = ['first', 'two\nlines', '', '{"кто":"там"}', 'x'.repeat(100_000), 'last'];
      for (const message of said) one.tell('s', message);
      await eventually('all is heard', () => heard.length === said.length);
      // In no certain order: a cluster may have to be asked twice where a session's messages go.
      expect(said.filter((message) => !heard.includes(message)).map(({ length }) => length)).toEqual([]);
    });

    test('nobody hears themselves', async () => {
      const [own, others] = [await heardBy(one), await heardBy(other)];
      await tellAndWait(one, others, 'from one');
      await tellAndWait(other, own, 'from the other');
      expect(own).toEqual(['from the other']);
      expect(others).toEqual(['from one']);
    });

    test('sessions do not hear each other', async () => {
      const [heard, elsewhere] = [await heardBy(other), await heardBy(other, 't')];
      await tellAndWait(one, heard, 'for s');
      one.tell('t', 'for t');
      await eventually('t has heard', () => elsewhere.length > 0);
      expect([heard, elsewhere]).toEqual([['for s'], ['for t']]);
    });

    test('also an instance that does not follow a session is heard there', async () => {
      const heard = await heardBy(other);
      await tellAndWait(one, heard, 'from outside');
    });

    test('who does not follow any more hears nothing; who follows again hears again', async () => {
      const before = await heardBy(other);
      followed[0]?.end();
      const after = await heardBy(other);
      await tellAndWait(one, after, 'again');
      expect(before).toEqual([]);
    });
  });
}
