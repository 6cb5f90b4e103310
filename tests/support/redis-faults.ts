import { createHash } from 'node:crypto';
import { SEED } from '../../src/ordering/redis-ordering-scripts';
import type { RedisServer } from './redis-server';
import type { CaughtCommand } from './redis-line';
import { ClusterRedis, SentinelRedis, SingleRedis, type AnyRedis } from './redis-topology';
import type { Dice } from './schedule/dice';
import { TcpProxy } from './schedule/tcp-proxy';
import type { Hot, World } from './redis-world';

/** What may go wrong in the middle of a replay. Answers how often it happened; it throws where it did not. */
export interface Fault {
  readonly on: ReadonlyArray<AnyRedis['kind']>;
  /** Others may happen at the same time. */
  readonly isBackground?: true;
  /** A fault that is built into the server. */
  readonly needs?: 'refusing-store';
  happen(world: World, dice: Dice): Promise<number>;
}

const EVERYWHERE = ['single', 'sentinel', 'cluster'] as const;
/** Edits that must be saved while a fault lasts that does not keep anybody from saving. */
const SOME_WORK = 100;
/** Long enough that another instance has come to save. */
const outlivesLease = ({ saveLeaseMs }: World): number => 1.2 * saveLeaseMs;
/** Whoever was connected to an instance that stood still has everything so soon after it goes on. */
const GOES_ON_WITHIN_MS = 5_000;

/** Every fault by what it is called in reports. */
export const FAULTS = {
  'every hint lost': {
    on: ['single'],
    isBackground: true,
    async happen(world) {
      const { lines } = single(world);
      const before = sum(lines.map(({ counts }) => counts.passed));
      for (const line of lines) line.hints = 'lose';
      await world.work(SOME_WORK);
      for (const line of lines) line.hints = 'pass';
      if (sum(lines.map(({ counts }) => counts.passed)) > before) throw new Error('a hint came through');
      return atLeastOne('hints lost', sum(lines.map(({ counts }) => counts.lost)));
    },
  },
  'hints doubled and reordered': {
    on: ['single'],
    isBackground: true,
    async happen(world) {
      const { lines } = single(world);
      for (const line of lines) line.hints = 'double and reorder';
      await world.work(2 * SOME_WORK);
      for (const line of lines) line.hints = 'pass';
      return atLeastOne('hints out of order', sum(lines.map(({ counts }) => counts.reordered)));
    },
  },
  'subscribers cut': {
    on: EVERYWHERE,
    isBackground: true,
    async happen(world) {
      let count = 0;
      // Another fault may have cut them a moment ago.
      await world.until('subscribers to cut', async () => {
        const cut = await onMasters(world, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
        count += sum(cut.map(Number));
        return count > 0;
      });
      await world.work(SOME_WORK);
      return atLeastOne('subscribers cut', count);
    },
  },
  'SCRIPT FLUSH': {
    on: EVERYWHERE,
    isBackground: true,
    async happen(world) {
      const flushed = await onMasters(world, (client) => client.script('FLUSH'));
      await world.work(SOME_WORK);
      return flushed.length;
    },
  },
  FLUSHALL: {
    on: EVERYWHERE,
    async happen(world) {
      const before = await hotLog(world);
      const flushed = await onMasters(world, (client) => client.flushall());
      await openedAgain(world, before);
      return flushed.length;
    },
  },
  'Redis killed, started again with what it wrote': {
    on: ['single'],
    async happen(world) {
      const { server } = single(world);
      await server.kill();
      await world.until('not ready without Redis', async () => (await world.reasons(0)).includes('redis-unavailable'));
      await server.launch();
      await world.work(SOME_WORK);
      return 1;
    },
  },
  'Redis killed, started again empty': {
    on: ['single'],
    async happen(world) {
      const { server } = single(world);
      const before = await hotLog(world);
      await server.kill();
      await server.wipe();
      await server.launch();
      await openedAgain(world, before);
      return 1;
    },
  },
  'Redis stands still': {
    on: ['single'],
    async happen(world, dice) {
      const { server, lines } = single(world);
      // Authors wait for each other's edits; one that is kept from them by a hint that is late may be all there is to wait for.
      const isHearing = (): boolean => lines.every(({ hints }) => hints === 'pass');
      const wasHearing = isHearing();
      server.signal('SIGSTOP');
      await world.lasts(dice.between(2_000, 5_000));
      await world.until('not ready without Redis', async () => (await world.reasons(0)).includes('redis-unavailable'));
      const { held } = world;
      server.signal('SIGCONT');
      await world.work(SOME_WORK);
      if (wasHearing && isHearing()) atLeastOne('edits kept meanwhile', held);
      return 1;
    },
  },
  'maxmemory reached': {
    on: EVERYWHERE,
    async happen(world) {
      const before = await world.refused();
      const server = await world.server();
      await server.command((client) => client.config('SET', 'maxmemory', '1mb'));
      await world.until('operations to be refused', async () => (await world.refused()) > before);
      const refused = (await world.refused()) - before;
      await server.command((client) => client.config('SET', 'maxmemory', '0'));
      return refused;
    },
  },
  'a stale replica promoted, the old master serves on': { on: ['single'], happen: splitBrain },
  'master killed, its replica promoted': {
    on: ['sentinel', 'cluster'],
    happen: (world) =>
      failover(
        world,
        (master) => master.kill(),
        (master) => master.launch(),
      ),
  },
  'master stands still, its replica promoted': {
    on: ['sentinel', 'cluster'],
    happen: (world) =>
      failover(
        world,
        async (master) => master.signal('SIGSTOP'),
        async (master) => master.signal('SIGCONT'),
      ),
  },
  "the session's slot moved to another node": { on: ['cluster'], happen: slotMoved },
  'an instance killed': {
    on: EVERYWHERE,
    async happen(world, dice) {
      const { servers } = world.cluster;
      await killAndRestart(world, dice.between(0, servers.length - 1), async () => {});
      return 1;
    },
  },
  'the instance that saves killed': {
    on: EVERYWHERE,
    async happen(world) {
      await world.until('somebody to save', async () => (await world.saver()) >= 0);
      const saver = await world.saver();
      await killAndRestart(world, saver, () =>
        world.until('another instance to save', async () => ![-1, saver].includes(await world.saver())),
      );
      return 1;
    },
  },
  'all instances killed': {
    on: EVERYWHERE,
    async happen(world) {
      const { servers } = world.cluster;
      await Promise.all(servers.map((server) => server.end('SIGKILL')));
      await Promise.all(servers.map((_, index) => world.restart(index)));
      await world.work(SOME_WORK);
      return servers.length;
    },
  },
  'all instances stand still': {
    on: EVERYWHERE,
    async happen(world, dice) {
      const { servers } = world.cluster;
      for (const server of servers) server.signal('SIGSTOP');
      await world.lasts(dice.between(1_000, 3_000));
      for (const server of servers) server.signal('SIGCONT');
      await world.work(SOME_WORK);
      return servers.length;
    },
  },
  'an instance stands still': {
    on: EVERYWHERE,
    isBackground: true,
    async happen(world, dice) {
      const server = dice.pick(world.cluster.servers);
      server.signal('SIGSTOP');
      await world.lasts(dice.between(1_000, outlivesLease(world)));
      server.signal('SIGCONT');
      await world.work(SOME_WORK);
      return 1;
    },
  },
  'an instance stands still in the middle of opening': {
    on: ['single'],
    happen: (world) => stalledOpening(world, outlivesLease(world)),
  },
  'the store refuses for five seconds': {
    on: EVERYWHERE,
    isBackground: true,
    needs: 'refusing-store',
    happen: (world) => refusingStore(world, 5_000),
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

async function refusingStore(world: World, ms: number): Promise<number> {
  const before = world.refusedByStore;
  const { saved } = world;
  const end = await world.refuseToStore();
  await world.lasts(ms);
  // Another fault may keep everybody from having anything to save.
  await world.until('a save to be refused', () => world.refusedByStore > before);
  if (world.saved - saved > MAX_ON_ITS_WAY) throw new Error('the store took something');
  const { held } = world;
  await end();
  await world.work(SOME_WORK);
  atLeastOne('edits kept meanwhile', held);
  return atLeastOne('saves refused', world.refusedByStore - before);
}

/** Edits whose save had begun when a fault did, or of which the news came later. */
const MAX_ON_ITS_WAY = 300;

/** What a script answers that has changed nothing. */
const REFUSED = ':0\r\n';

/**
 * An instance is stopped when it has read the store and is about to seed; what it sends then arrives when others have opened the session
 * under a newer epoch, and must change nothing (ST4).
 */
export async function stalledOpening(world: World, ms: number): Promise<number> {
  const { lines, server } = single(world);
  // The client library sends the script itself first, its hash from then on.
  const scripts = [SEED.lua, createHash('sha1').update(SEED.lua).digest('hex')];
  const caught: Array<{ index: number; command: CaughtCommand }> = [];
  const isFirst = (text: string): boolean => caught.length === 0 && scripts.some((script) => text.includes(script));
  lines.forEach((line, index) => line.holdBack(isFirst, (command) => caught.push({ index, command })));
  await hotLog(world);
  await server.command((client) => client.flushall());
  await world.until('an instance to seed', () => caught.length > 0);
  const [first] = caught;
  if (!first) throw new Error('no instance has seeded');
  const { index, command } = first;
  const stalled = world.cluster.servers[index];
  stalled?.signal('SIGSTOP');
  // A length and a text in turn: the epoch comes after the last key.
  const texts = command.text.split('\r\n');
  const staleEpoch = Number(texts[texts.findLastIndex((text) => text.endsWith(':clients')) + 2]);
  const openedByOthers = async (): Promise<boolean> => (await world.hot()).epoch > staleEpoch;
  await Promise.all([world.lasts(ms), world.until('others to open the session', openedByOthers)]);
  const { epoch } = await world.hot();
  for (const line of lines) line.holdBackNothing();
  const reply = await command.letGo();
  stalled?.signal('SIGCONT');
  const goesOnAt = performance.now();
  if (!(staleEpoch > 0 && staleEpoch < epoch)) throw new Error(`epoch ${staleEpoch} was not too late for ${epoch}`);
  if (reply !== REFUSED) throw new Error('a late seed has overwritten the hot log');
  await world.hears(index);
  const lateMs = performance.now() - goesOnAt;
  if (lateMs > GOES_ON_WITHIN_MS) throw new Error(`its clients were behind for ${Math.round(lateMs)} ms more`);
  await world.work(SOME_WORK);
  return 1;
}

/** The hot log that there is, once there is one. */
async function hotLog(world: World): Promise<Hot> {
  let hot: Hot | undefined;
  await world.until('a hot log', async () => {
    hot = await world.hot();
    return hot.epoch > 0;
  });
  if (!hot) throw new Error('there is no hot log');
  return hot;
}

/** It was noticed that the hot log is gone, and the session goes on under a newer epoch. */
const openedAgain = (world: World, before: Hot): Promise<void> =>
  world.until('the vanished log to be noticed', async () => (await world.hot()).epoch > before.epoch);

/** Both masters are there for so long, unless both have been written to before. */
const SPLIT_MS = 3_000;

/** The master goes on for one instance, while the others use a replica that never got the last writes. */
async function splitBrain(world: World): Promise<number> {
  const redis = single(world);
  const master = redis.server;
  const proxy = new TcpProxy(() => master.port);
  await proxy.start();
  try {
    await master.command((client) => client.config('SET', 'repl-diskless-sync-delay', '0'));
    const replica = await redis.add();
    await replica.command((client) => client.replicaof('127.0.0.1', proxy.port));
    await world.until('the replica to follow', async () => (await world.hot(replica)).seq > 0);
    proxy.swallows = 'down';
    await world.work(SOME_WORK);
    await replica.command((client) => client.replicaof('NO', 'ONE'));
    const missing = (await world.hot(master)).seq - (await world.hot(replica)).seq;
    const others = redis.lines.slice(1);
    for (const line of others) {
      line.target = replica.port;
      line.cut();
    }
    const [before, behind] = [await world.hot(master), await world.hot(replica)];
    const endsAt = performance.now() + SPLIT_MS;
    await world.until('the promoted one to be written to, and both for a while', async () => {
      const [old, promoted] = [await world.hot(master), await world.hot(replica)];
      // Authors who wait for each other may write to one only.
      return isPast(promoted, behind) && (isPast(old, before) || performance.now() > endsAt);
    });
    const served = await master.command((client) => client.client('LIST'));
    if (!String(served).includes(' name=flow:i0:command ')) throw new Error('the old master serves nobody');
    await master.kill();
    redis.server = replica;
    for (const line of redis.lines) line.target = replica.port;
    await world.work(SOME_WORK);
    return atLeastOne('writes that the replica did not have', missing);
  } finally {
    await proxy.stop();
  }
}

const isPast = (now: { epoch: number; seq: number }, before: { epoch: number; seq: number }): boolean =>
  now.epoch > before.epoch || now.seq > before.seq;

/** The master of the session goes; when its replica has taken over, it comes back as that one's replica. */
async function failover(
  world: World,
  down: (master: RedisServer) => Promise<void>,
  up: (master: RedisServer) => Promise<void>,
): Promise<number> {
  const { redis } = world;
  if (redis instanceof SingleRedis) throw new Error('one server has no replica');
  await (redis instanceof SentinelRedis ? redis.sentinels.whole() : redis.cluster.whole());
  await toNamedNode(world);
  const master = await world.server();
  await down(master);
  await world.until('a replica to be promoted', async () => (await redis.serverOf(world.metaKey)) !== master);
  await world.work(SOME_WORK);
  await world.demandHearing();
  await up(master);
  if (redis instanceof SentinelRedis) {
    // The sentinels would do so, all of it, after ten seconds.
    await world.until('the old master to follow the new one', async () => {
      const { port } = await redis.sentinels.master();
      await master.command(async (client) => {
        await client.replicaof('127.0.0.1', port);
        await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      });
    });
  }
  await world.demandHearing();
  return 1;
}

/** The session moves to the only node of a cluster that instances were told of, so that it is the one that goes. */
async function toNamedNode(world: World): Promise<void> {
  const { redis } = world;
  if (!(redis instanceof ClusterRedis)) return;
  const { named } = redis;
  if (named === (await redis.serverOf(world.metaKey)) || !(await redis.masters()).includes(named)) return;
  await redis.move(world.metaKey, named, async () => {});
}

async function slotMoved(world: World): Promise<number> {
  const { redis } = world;
  if (!(redis instanceof ClusterRedis)) throw new Error('only a cluster has slots');
  const from = await redis.serverOf(world.metaKey);
  const to = (await redis.masters()).find((node) => node !== from);
  if (!to) throw new Error('there is no other master');
  const before = await redirections([from, to]);
  // The hash that every audit asks for goes first: somebody is sent on even when nobody writes any more.
  const keys = await redis.move(world.metaKey, to, () =>
    world.until('somebody to be sent on', async () => (await redirections([from, to])) > before),
  );
  await world.work(SOME_WORK);
  await world.demandHearing();
  return atLeastOne('keys moved', keys);
}

/** How often these servers sent somebody to another one, or told it to try again. */
async function redirections(servers: readonly RedisServer[]): Promise<number> {
  const infos = await Promise.all(servers.map((server) => server.command((client) => client.info('errorstats'))));
  const counts = infos.flatMap((info) => [...info.matchAll(/errorstat_(?:MOVED|ASK|TRYAGAIN):count=(\d+)/g)]);
  return sum(counts.map(([, count]) => Number(count)));
}

async function killAndRestart(world: World, index: number, meanwhile: () => Promise<void>): Promise<void> {
  await world.cluster.servers[index]?.end('SIGKILL');
  await meanwhile();
  await world.restart(index);
  await world.work(SOME_WORK);
}

function single({ redis }: World): SingleRedis {
  if (!(redis instanceof SingleRedis)) throw new Error('this needs one server');
  return redis;
}

/** Once all of them answer: one may be away, or no master any more. */
async function onMasters<Answer>(
  world: World,
  run: Parameters<typeof RedisServer.prototype.command<Answer>>[0],
): Promise<Answer[]> {
  let answers: Answer[] = [];
  await world.until('the masters to answer', async () => {
    const masters = await world.redis.masters();
    answers = await Promise.all(masters.map((master) => master.command(run)));
  });
  return answers;
}

function atLeastOne(what: string, count: number): number {
  if (count < 1) throw new Error(`there were no ${what}`);
  return count;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
