import type { WebSocketManager } from '../../src/connections/websocket-manager';
import { JsonText } from '../../src/protocol/json-text';
import { eventually } from '../support/eventually';
import type { RawSocket } from '../support/raw-socket';
import type { WireClient } from '../support/wire-client';

/** One instance with its clients; Socket.IO really runs. */
export interface ConnectedInstance {
  readonly manager: WebSocketManager;
  /** A connection of this user, known to the manager. */
  connect(userId: string): Promise<WireClient>;
  /** The same below Socket.IO's client, so that it can stop reading. */
  connectRaw(userId: string): Promise<{ socket: RawSocket; connectionId: string }>;
}

/** Two instances on one backend; the same one twice where nothing is shared. */
export interface ConnectionNodes {
  readonly one: ConnectedInstance;
  readonly other: ConnectedInstance;
  stop(): Promise<void>;
}

const renamed = (title: string) => ({ sessionId: 's', title });

export function webSocketManagerContract(backend: string, start: () => Promise<ConnectionNodes>): void {
  describe(`websocket manager on ${backend}`, () => {
    let nodes: ConnectionNodes;
    let one: ConnectedInstance;
    let other: ConnectedInstance;

    beforeEach(async () => {
      nodes = await start();
      ({ one, other } = nodes);
    });

    afterEach(() => nodes.stop());

    /** What a client has heard, once a marker sent the same way has arrived. */
    async function titlesHeardBy(client: WireClient, instance: ConnectedInstance): Promise<string[]> {
      instance.manager.toConnectionHere(client.connectionId, 'session:renamed', renamed('fence'));
      await client.next('session:renamed', ({ title }) => title === 'fence');
      return client
        .all('session:renamed')
        .map(({ title }) => title)
        .filter((title) => title !== 'fence');
    }

    test('[DL1] who enters hears the very next frame; who leaves hears none of the same turn', async () => {
      const [a, b] = [await one.connect('ada'), await one.connect('bob')];
      one.manager.enter(a.connectionId, 's');
      expect(one.manager.toSessionHere('s', 'session:renamed', renamed('first'))).toBe(1);
      one.manager.enter(b.connectionId, 's');
      expect(one.manager.toSessionHere('s', 'session:renamed', renamed('second'))).toBe(2);
      one.manager.leave(a.connectionId, 's');
      expect(one.manager.toSessionHere('s', 'session:renamed', renamed('third'))).toBe(1);
      expect(await titlesHeardBy(a, one)).toEqual(['first', 'second']);
      expect(await titlesHeardBy(b, one)).toEqual(['second', 'third']);
    });

    test('entering and leaving twice is once; an unknown connection is passed over', async () => {
      const a = await one.connect('ada');
      for (const connectionId of [a.connectionId, a.connectionId, 'nobody']) one.manager.enter(connectionId, 's');
      expect([...one.manager.membersHere('s')]).toEqual([a.connectionId]);
      for (const connectionId of [a.connectionId, a.connectionId, 'nobody']) one.manager.leave(connectionId, 's');
      expect([...one.manager.membersHere('s')]).toEqual([]);
      expect(one.manager.toSessionHere('s', 'session:renamed', renamed('to nobody'))).toBe(0);
      one.manager.toConnectionHere('nobody', 'session:renamed', renamed('to nobody'));
      expect(one.manager.backlogBytes('nobody')).toBe(0);
      one.manager.disconnectHere('nobody');
    });

    test('sessions do not hear each other', async () => {
      const a = await one.connect('ada');
      one.manager.enter(a.connectionId, 's');
      one.manager.toSessionHere('t', 'session:renamed', renamed('elsewhere'));
      one.manager.toSession('t', 'session:renamed', renamed('elsewhere'));
      expect(await titlesHeardBy(a, one)).toEqual([]);
    });

    test('to a session means its connections on every instance', async () => {
      const [a, b] = [await one.connect('ada'), await other.connect('bob')];
      one.manager.enter(a.connectionId, 's');
      other.manager.enter(b.connectionId, 's');
      one.manager.toSession('s', 'session:renamed', renamed('all'));
      await a.next('session:renamed');
      await b.next('session:renamed');
    });

    test('to a user means all their connections, and nobody else', async () => {
      const [first, second, bob] = [await one.connect('ada'), await other.connect('ada'), await one.connect('bob')];
      one.manager.toUser('ada', 'session:renamed', renamed('for ada'));
      await first.next('session:renamed');
      await second.next('session:renamed');
      expect(await titlesHeardBy(bob, one)).toEqual([]);
    });

    test('a user id is no pattern and no path into another room', async () => {
      const [odd, ada] = [await one.connect('user:ada'), await one.connect('ada')];
      one.manager.toUser('user:ada', 'session:renamed', renamed('for the odd one'));
      await odd.next('session:renamed');
      expect(await titlesHeardBy(ada, one)).toEqual([]);
    });

    test("disconnecting a user ends all their connections, and nobody else's", async () => {
      const [first, second, bob] = [await one.connect('ada'), await other.connect('ada'), await one.connect('bob')];
      one.manager.disconnectUser('ada');
      await Promise.all([first.gone(), second.gone()]);
      await bob.fence();
      expect(bob.socket.connected).toBe(true);
    });

    test('cutting off a connection ends that one at once, and its membership', async () => {
      const [a, b] = [await one.connect('ada'), await one.connect('ada')];
      for (const { connectionId } of [a, b]) one.manager.enter(connectionId, 's');
      one.manager.disconnectHere(a.connectionId);
      expect([...one.manager.membersHere('s')]).toEqual([b.connectionId]);
      await a.gone();
      await b.fence();
    });

    test('[DL6] what a connection leaves unread is counted, and thrown away with it when it is cut off', async () => {
      const { socket, connectionId } = await one.connectRaw('ada');
      one.manager.enter(connectionId, 's');
      expect(one.manager.backlogBytes(connectionId)).toBe(0);
      socket.pause();
      // The kernels of both sides take some megabytes before anything waits here.
      one.manager.toSessionHere('s', 'session:renamed', renamed('x'.repeat(32_000_000)));
      const first = one.manager.backlogBytes(connectionId);
      expect(first).toBeGreaterThan(8_000_000);
      one.manager.toSessionHere('s', 'session:renamed', renamed('x'.repeat(1_000_000)));
      expect(one.manager.backlogBytes(connectionId) - first).toBeGreaterThan(900_000);
      one.manager.disconnectHere(connectionId);
      expect(one.manager.backlogBytes(connectionId)).toBe(0);
      await eventually('the server has let go of the TCP connection', () => socket.isAbandoned());
    });

    test('a connection that reads has no backlog in the end', async () => {
      const a = await one.connect('ada');
      one.manager.enter(a.connectionId, 's');
      for (let sent = 0; sent < 10; sent += 1)
        one.manager.toSessionHere('s', 'session:renamed', renamed('x'.repeat(100_000)));
      await eventually('everything is read', () => {
        expect(a.all('session:renamed')).toHaveLength(10);
        expect(one.manager.backlogBytes(a.connectionId)).toBe(0);
      });
    });

    test('[DL1] what is text already arrives as its value, in the order in which all was sent', async () => {
      const [a, b] = [await one.connect('ada'), await one.connect('bob')];
      for (const { connectionId } of [a, b]) one.manager.enter(connectionId, 's');
      const text = (title: string): JsonText<ReturnType<typeof renamed>> =>
        new JsonText(JSON.stringify(renamed(title)));
      const large = 'x'.repeat(8_000_000);
      // Behind the large one Socket.IO keeps what comes until the kernel has taken it.
      for (const title of [large, 'a "value"']) one.manager.toSessionHere('s', 'session:renamed', renamed(title));
      expect(one.manager.toSessionHere('s', 'session:renamed', text('a "text" \u2028\ud83d\ude00'))).toBe(2);
      one.manager.toSessionHere('s', 'session:renamed', renamed('another value'));
      one.manager.toSessionHere('s', 'session:renamed', text('another text'));
      const inOrder = [large, 'a "value"', 'a "text" \u2028\ud83d\ude00', 'another value', 'another text'];
      expect(await titlesHeardBy(a, one)).toEqual(inOrder);
      expect(await titlesHeardBy(b, one)).toEqual(inOrder);
      one.manager.toSessionHere('s', 'session:renamed', text('after quiet'));
      expect((await titlesHeardBy(a, one)).at(-1)).toBe('after quiet');
      expect(one.manager.toSessionHere('t', 'session:renamed', text('to nobody'))).toBe(0);
    });

    test('[DL6] text that is left unread is counted as well', async () => {
      const { socket, connectionId } = await one.connectRaw('ada');
      one.manager.enter(connectionId, 's');
      socket.pause();
      const text = new JsonText<ReturnType<typeof renamed>>(JSON.stringify(renamed('x'.repeat(32_000_000))));
      one.manager.toSessionHere('s', 'session:renamed', text);
      expect(one.manager.backlogBytes(connectionId)).toBeGreaterThan(8_000_000);
      one.manager.disconnectHere(connectionId);
      expect(one.manager.backlogBytes(connectionId)).toBe(0);
    });

    test('connections and users are counted', async () => {
      expect(await one.manager.stats()).toEqual({ local: 0, cluster: 0, users: 0 });
      const [first] = [await one.connect('ada'), await one.connect('ada'), await one.connect('bob')];
      expect(await one.manager.stats()).toEqual({ local: 3, cluster: 3, users: 2 });
      first.close();
      await eventually('one is gone', async () =>
        expect(await one.manager.stats()).toEqual({ local: 2, cluster: 2, users: 2 }),
      );
    });
  });
}
