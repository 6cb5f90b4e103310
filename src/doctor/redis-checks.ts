import type { Redis } from 'ioredis';
import type { HostPort, RedisSettings } from '../../config/redis-settings';
import { rootMessageOf } from '../lib/system-faults';
import { readInfo } from '../redis/redis-checks';
import { fail, ok, warn, type Findings } from './finding';
import { probeNode } from './redis-node';
import { checkRedisServer } from './redis-server-checks';

const SLOTS = 16_384;

/** Whether the configured Redis can be reached and used, and how it is set up. */
export async function* checkRedis(settings: RedisSettings): Findings {
  const { target } = settings;
  switch (target.kind) {
    case 'single':
      return yield* checkMaster(settings, target);
    case 'sentinel': {
      const masters = new Map<string, HostPort>();
      for (const sentinel of target.sentinels) yield* askSentinel(settings, target, sentinel, masters);
      if (masters.size > 1)
        yield fail('redis sentinel', `the sentinels name different masters: ${[...masters.keys()].join(', ')}`);
      const [master] = masters.values();
      if (master) return yield* checkMaster(settings, master, NAMED_BY_SENTINELS);
      return yield fail('redis sentinel', 'no sentinel knows a master: check REDIS_SENTINELS and REDIS_SENTINEL_NAME');
    }
    case 'cluster':
      return yield* checkCluster(settings, target.nodes);
  }
}

const NAMED_BY_SENTINELS =
  ' The sentinels name it as the master: if it is down, they promote a replica after down-after-milliseconds, if they have one; if it is up, it ' +
  'is announced under an address that cannot be used from here: see replica-announce-ip.';

/** `remark`: what else to say of one that cannot be reached. */
async function* checkMaster(settings: RedisSettings, address: HostPort, remark = ''): Findings {
  const where = nameOf(address);
  const probe = await probeNode(settings, address);
  if (probe.kind === 'refused') return yield fail('redis', probe.message + remark);
  try {
    yield ok('redis', `${where} answers`);
    for (const remark of probe.remarks) yield warn('redis', `${where}: ${remark}`);
    yield* checkRedisServer(probe.client, where, 'single');
  } finally {
    probe.client.disconnect();
  }
}

async function* askSentinel(
  settings: RedisSettings,
  { name, password }: Extract<RedisSettings['target'], { kind: 'sentinel' }>,
  sentinel: HostPort,
  masters: Map<string, HostPort>,
): Findings {
  const where = nameOf(sentinel);
  const { username: _username, password: _password, ...rest } = settings;
  const probe = await probeNode({ ...rest, db: 0, ...(password === undefined ? {} : { password }) }, sentinel);
  if (probe.kind === 'refused')
    return yield warn(
      'redis sentinel',
      `${probe.message} (REDIS_SENTINELS, REDIS_SENTINEL_PASSWORD; the others can do without it)`,
    );
  try {
    const answer: unknown = await probe.client.call('SENTINEL', 'get-master-addr-by-name', name);
    if (!Array.isArray(answer))
      return yield fail('redis sentinel', `${where} watches no master called ${name}: check REDIS_SENTINEL_NAME`);
    const master = { host: String(answer[0]), port: Number(answer[1]) };
    masters.set(nameOf(master), master);
    yield ok('redis sentinel', `${where}: the master of ${name} is ${nameOf(master)}`);
  } catch (fault) {
    yield fail('redis sentinel', `${where} is no sentinel: check REDIS_SENTINELS (${rootMessageOf(fault)})`);
  } finally {
    probe.client.disconnect();
  }
}

async function* checkCluster(settings: RedisSettings, nodes: readonly HostPort[]): Findings {
  let guide: Redis | undefined;
  const refusals: string[] = [];
  for (const node of nodes) {
    const probe = await probeNode(settings, node);
    if (probe.kind === 'refused') refusals.push(probe.message);
    else if (guide) probe.client.disconnect();
    else guide = probe.client;
  }
  const tell = guide ? warn : fail;
  for (const refusal of refusals) yield tell('redis', `${refusal} (REDIS_CLUSTER_NODES)`);
  if (!guide) return;
  try {
    yield ok('redis', `${nodes.length - refusals.length} of the ${nodes.length} nodes of REDIS_CLUSTER_NODES answer`);
    yield* checkClusterBehind(settings, guide);
  } catch (fault) {
    yield fail(
      'redis cluster',
      `it is no cluster: set REDIS_HOST instead of REDIS_CLUSTER_NODES (${rootMessageOf(fault)})`,
    );
  } finally {
    guide.disconnect();
  }
}

async function* checkClusterBehind(settings: RedisSettings, guide: Redis): Findings {
  const info = readInfo(String(await guide.call('CLUSTER', 'INFO')));
  const served = Number(info.get('cluster_slots_ok') ?? 0);
  if (info.get('cluster_state') === 'ok' && served === SLOTS)
    yield ok('redis cluster', `all ${SLOTS} slots are served`);
  else
    yield fail(
      'redis cluster',
      `state ${info.get('cluster_state')}, ${served} of ${SLOTS} slots are served (CLUSTERDOWN): start the missing masters, or redis-cli --cluster fix`,
    );
  const shards = shardsOf(await guide.call('CLUSTER', 'SLOTS'));
  for (const { master, replicas } of shards) {
    const where = nameOf(master);
    const probe = await probeNode(settings, master);
    if (probe.kind === 'refused') {
      yield fail(
        'redis cluster',
        `the cluster announces a master at ${where}, which cannot be used from here: see cluster-announce-ip, cluster-announce-hostname. ${probe.message}`,
      );
      continue;
    }
    try {
      if (replicas.length === 0)
        yield warn('redis cluster', `the master ${where} has no replica: when it fails, its slots are gone`);
      yield* checkRedisServer(probe.client, where, 'cluster');
    } finally {
      probe.client.disconnect();
    }
    for (const replica of replicas) {
      const reached = await probeNode(settings, replica);
      if (reached.kind === 'connected') reached.client.disconnect();
      else yield warn('redis cluster', `the replica of ${where} cannot be used from here: ${reached.message}`);
    }
  }
}

interface Shard {
  readonly master: HostPort;
  readonly replicas: readonly HostPort[];
}

/** Every master once, however many ranges of slots it has. */
function shardsOf(slots: unknown): Shard[] {
  const shards = new Map<string, Shard>();
  for (const range of Array.isArray(slots) ? (slots as readonly unknown[]) : []) {
    if (!Array.isArray(range)) continue;
    const [master, ...replicas] = (range.slice(2) as readonly unknown[]).flatMap(addressOf);
    if (master) shards.set(nameOf(master), { master, replicas });
  }
  return [...shards.values()];
}

function addressOf(node: unknown): HostPort[] {
  if (!Array.isArray(node)) return [];
  const [host, port] = node as readonly unknown[];
  return typeof host === 'string' && host !== '' ? [{ host, port: Number(port) }] : [];
}

const nameOf = ({ host, port }: HostPort): string => `${host}:${port}`;
