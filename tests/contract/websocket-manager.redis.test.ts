import type { Server } from 'socket.io';
import { MemoryWebSocketManager } from '../../src/connections/memory-websocket-manager';
import { RedisWebSocketManager } from '../../src/connections/redis-websocket-manager';
import { InstanceRegistry } from '../../src/instances/instance-registry';
import { RedisInstanceLeases } from '../../src/instances/redis-instance-leases';
import { systemClock } from '../../src/lib/clock';
import type { RedisKeys } from '../../src/redis/keys';
import type { RedisConnections } from '../../src/redis/redis-connections';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { REDIS_KINDS, type RedisBackend, redisBackendForAll } from '../support/redis-backend';
import { SocketInstance } from '../support/socket-instance';
import { expectNothingUnhandled } from '../support/unhandled';
import type { WireClient } from '../support/wire-client';
import { instanceNamed } from './instance-registry.contract';
import { webSocketManagerContract } from './websocket-manager.contract';

/** Often, so that counts are soon right. */
const RENEW_MS = 20;

class Node {
  readonly lines: ReturnType<typeof logLines>['lines'];
  readonly redis: RedisConnections;
  readonly sockets: SocketInstance<RedisWebSocketManager>;
  readonly #registry: InstanceRegistry;

  static async start(instanceId: string, backend: RedisBackend, keys: RedisKeys): Promise<Node> {
    const redis = backend.connections(instanceId);
    const { lines, log } = logLines();
    let registry: InstanceRegistry | undefined;
    const sockets = await SocketInstance.start(async (io: Server) => {
      const here = new MemoryWebSocketManager({ io });
      const instances = new InstanceRegistry({
        leases: new RedisInstanceLeases({ redis, keys }),
        async describe() {
          const { local, users } = await here.stats();
          return instanceNamed(instanceId, { connections: local, users });
        },
        clock: systemClock,
        log,
        renewMs: RENEW_MS,
      });
      registry = instances;
      const manager = new RedisWebSocketManager({ here, io, redis, keys, instances, clock: systemClock, log });
      await redis.start();
      await instances.start();
      await manager.start();
      return manager;
    });
    if (!registry) throw new Error('there is no registry');
    return new Node(lines, redis, sockets, registry);
  }

  private constructor(
    lines: Node['lines'],
    redis: RedisConnections,
    sockets: SocketInstance<RedisWebSocketManager>,
    registry: InstanceRegistry,
  ) {
    this.lines = lines;
    this.redis = redis;
    this.sockets = sockets;
    this.#registry = registry;
  }

  get manager(): RedisWebSocketManager {
    return this.sockets.manager;
  }

  said(part: string): number {
    return this.lines.filter(({ msg }) => msg.includes(part)).length;
  }

  async stop(): Promise<void> {
    await this.sockets.stop();
    this.manager.stop();
    await this.#registry.stop();
    await this.redis.stop();
  }
}

const renamed = (title: string) => ({ sessionId: 's', title });

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  expectNothingUnhandled();

  async function startNodes(): Promise<[Node, Node, RedisKeys]> {
    const keys = backendOf().freshKeys();
    return [await Node.start('one', backendOf(), keys), await Node.start('other', backendOf(), keys), keys];
  }

  webSocketManagerContract(`Redis (${kind}), two instances`, async () => {
    const [one, other] = await startNodes();
    return {
      one: one.sockets,
      other: other.sockets,
      stop: async () => void (await Promise.all([one.stop(), other.stop()])),
    };
  });

  describe('connections of several instances', () => {
    let one: Node;
    let other: Node;
    let keys: RedisKeys;

    beforeEach(async () => {
      [one, other, keys] = await startNodes();
    });

    afterEach(async () => void (await Promise.all([one.stop(), other.stop()])));

    /** On each instance one, in the session. */
    async function members(): Promise<[WireClient, WireClient]> {
      const [a, b] = [await one.sockets.connect('ada'), await other.sockets.connect('bob')];
      one.manager.enter(a.connectionId, 's');
      other.manager.enter(b.connectionId, 's');
      return [a, b];
    }

    /** Told by the other instance until it is heard: what is said while nobody can be reached is lost. */
    async function reaches(from: Node, to: WireClient, title: string): Promise<void> {
      await eventually(`"${title}" is heard`, () => {
        if (to.all('session:renamed').some((heard) => heard.title === title)) return true;
        from.manager.toSession('s', 'session:renamed', renamed(title));
        return false;
      });
    }

    test('it says once that the adapter is installed', () => {
      expect(one.said('[SocketAdapter] Redis adapter configured for Socket.IO')).toBe(1);
    });

    test('connections of all instances are counted', async () => {
      await one.sockets.connect('ada');
      await other.sockets.connect('ada');
      await other.sockets.connect('bob');
      await eventually('all are known', async () => {
        expect(await one.manager.stats()).toEqual({ local: 1, cluster: 3, users: 1 });
        expect(await other.manager.stats()).toEqual({ local: 2, cluster: 3, users: 2 });
      });
    });

    test('what is meant for here stays here', async () => {
      const [a, b] = await members();
      one.manager.toSessionHere('s', 'session:renamed', renamed('here'));
      await a.next('session:renamed');
      one.manager.toSession('s', 'session:renamed', renamed('everywhere'));
      await b.next('session:renamed');
      expect(b.all('session:renamed')).toEqual([renamed('everywhere')]);
      expect(a.all('session:renamed')).toHaveLength(2);
    });

    test('a user who was disconnected can come back at once', async () => {
      const [first] = await members();
      one.manager.disconnectUser('ada');
      const back = await one.sockets.connect('ada');
      await first.gone();
      // Told the same way, so that everything before has been heard.
      other.manager.disconnectUser('nobody');
      one.manager.toUser('bob', 'session:renamed', renamed('fence'));
      await eventually('the fence is heard', () => back.socket.connected);
      await back.fence();
      expect(back.socket.connected).toBe(true);
    });

    test('garbage on its channels harms nobody', async () => {
      const [, b] = await members();
      const client = one.redis.client('publisher');
      const key = keys.webSockets();
      const event = { type: 2, nsp: '/', data: ['session:renamed', renamed('forged')] };
      for (const message of [
        '',
        'no JSON',
        '{',
        '{}',
        'null',
        '[]',
        '7',
        '[1,2,3]',
        '{"type":0}',
        '{"type":2,"sid":1}',
        '{"type":4,"opts":5}',
        '{"type":4,"opts":{"rooms":[]},"close":true}',
        '{"type":5}',
        '{"type":6,"uid":"x","data":5}',
        '{"type":6,"uid":"x","data":["flow:disconnect-user",{"a":1}]}',
        '{"type":7,"opts":{}}',
        JSON.stringify(['x', event, null]),
        JSON.stringify(['x', event, { rooms: 'session:s', except: [] }]),
        JSON.stringify(['x', { ...event, type: 99 }, { rooms: ['session:s'], except: [] }]),
        JSON.stringify(['x', { ...event, data: 'text' }, { rooms: ['session:s'], except: [] }]),
        Buffer.from([0x93, 0xff, 0x00]),
      ]) {
        for (const channel of [`${key}#/#`, `${key}#/#session:s#`, `${key}-request#/#`, `${key}-response#/#`]) {
          await client.publish(channel, message);
        }
      }
      one.manager.toSession('s', 'session:renamed', renamed('fence'));
      await b.next('session:renamed', ({ title }) => title === 'fence');
      expect(b.all('session:renamed')).toEqual([renamed('fence')]);
    });

    test('a local connection is served while Redis is away; when it is back, the others are reached again', async () => {
      const [a, b] = await members();
      await backendOf().kill();
      await eventually('the loss is noticed', () => {
        one.manager.toSession('s', 'session:renamed', renamed('nobody else hears this'));
        return one.said('other instances cannot be reached') > 0;
      });
      one.manager.toUser('ada', 'session:renamed', renamed('to ada'));
      await a.next('session:renamed', ({ title }) => title === 'to ada');
      expect((await one.manager.stats()).cluster).toBe(1);
      const second = await one.sockets.connect('carol');
      one.manager.disconnectUser('carol');
      await second.gone();
      await backendOf().launch();
      await reaches(one, b, 'from one');
      await reaches(other, a, 'from other');
      expect(one.said('other instances cannot be reached')).toBe(1);
      await eventually('it is said', () => one.said('other instances are reached again') === 1);
      await eventually('all are counted again', async () => expect((await one.manager.stats()).cluster).toBe(2));
    });

    test('an instance that stops leaves the connections of the others alone', async () => {
      const [a, b] = await members();
      one.sockets.io.disconnectSockets(true);
      await one.stop();
      other.manager.toSession('s', 'session:renamed', renamed('still here'));
      await b.next('session:renamed');
      await b.fence();
      expect(b.socket.connected).toBe(true);
      await a.gone();
    });

    test('it closes while Redis is away', async () => {
      const [a, b] = await members();
      await backendOf().kill();
      await Promise.all([one.stop(), other.stop()]);
      expect([await a.gone(), await b.gone()]).toHaveLength(2);
      await backendOf().launch();
    });
  });
});
