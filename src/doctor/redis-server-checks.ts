import type { Redis } from 'ioredis';
import { rootMessageOf } from '../lib/system-faults';
import { checkServer, readInfo } from '../redis/redis-checks';
import { fail, ok, warn, type Finding, type Findings } from './finding';

/** What this server asks Redis for, besides what its client library does; docs/redis-users.acl allows the same. */
export const COMMANDS: readonly string[] = [
  'eval evalsha time info publish subscribe unsubscribe psubscribe',
  'get set del exists persist pexpire pttl incrby scan',
  'hset hget hdel hlen hmget hexists',
  'sadd srem smembers zadd zrange zrem zscore zrangebyscore',
  'xadd xrange xtrim',
].flatMap((line) => line.split(' '));
/** In a cluster hints stay on the shard that has the session. */
const CLUSTER_COMMANDS = ['spublish', 'ssubscribe', 'sunsubscribe', 'cluster'];

/** Shares of maxmemory. */
const NEARLY_FULL = 0.8;
const FULL = 0.95;
const MIB = 1_048_576;

type Info = ReadonlyMap<string, string>;

/** How one server, a master, is set up. `where`: its address. */
export async function* checkRedisServer(client: Redis, where: string, kind: 'single' | 'cluster'): Findings {
  try {
    const warnings = await checkServer(client, where, kind);
    for (const text of warnings) yield warn('redis server', text);
  } catch (fault) {
    yield fail('redis server', rootMessageOf(fault));
  }
  const info = await infoOf(client);
  yield* roleOf(info, where, kind);
  yield await commandsOf(client, where, kind);
  if (info.size === 0) return;
  yield ok('redis server', `${where}: version ${info.get('redis_version')}, policy ${info.get('maxmemory_policy')}`);
  yield memoryOf(info, where);
  yield* persistenceOf(info, where);
  yield await replicasOf(client, info, where);
  yield await keyspaceEventsOf(client, where);
}

async function infoOf(client: Redis): Promise<Info> {
  try {
    return readInfo(await client.info());
  } catch {
    // Told already: the check of the version needs it, too.
    return new Map();
  }
}

function* roleOf(info: Info, where: string, kind: 'single' | 'cluster'): Generator<Finding> {
  if (info.get('role') === 'slave')
    yield fail(
      'redis role',
      `${where} is a replica (READONLY): REDIS_HOST must be the master, which it says is ${info.get('master_host')}:${info.get('master_port')}; or use REDIS_SENTINELS.`,
    );
  const isCluster = info.get('cluster_enabled') === '1';
  if (isCluster && kind === 'single')
    yield fail('redis role', `${where} is part of a cluster: set REDIS_CLUSTER_NODES instead of REDIS_HOST.`);
  if (info.size > 0 && !isCluster && kind === 'cluster')
    yield fail('redis role', `${where} is no part of a cluster: set REDIS_HOST instead of REDIS_CLUSTER_NODES.`);
}

async function commandsOf(client: Redis, where: string, kind: 'single' | 'cluster'): Promise<Finding> {
  const wanted = [...COMMANDS, ...(kind === 'cluster' ? CLUSTER_COMMANDS : [])];
  let known: unknown;
  try {
    known = await client.call('COMMAND', 'INFO', ...wanted);
  } catch (fault) {
    return warn('redis commands', `${where} does not tell which commands it has (${rootMessageOf(fault)})`);
  }
  const missing = Array.isArray(known) ? wanted.filter((_, index) => known[index] === null) : wanted;
  if (missing.length === 0) return ok('redis commands', `${where} has all that are needed`);
  return fail(
    'redis commands',
    `${where} lacks ${missing.join(', ')}: use another version, or do not rename them away`,
  );
}

function memoryOf(info: Info, where: string): Finding {
  const max = Number(info.get('maxmemory') ?? 0);
  const used = Number(info.get('used_memory') ?? 0);
  const usedMib = `${Math.ceil(used / MIB)} MiB used`;
  if (max === 0) return ok('redis memory', `${where}: ${usedMib}, no maxmemory`);
  const text = `${where}: ${usedMib} of ${Math.floor(max / MIB)} MiB (maxmemory)`;
  if (used < NEARLY_FULL * max) return ok('redis memory', text);
  const remedy = `${text}: raise maxmemory; when it is full, operations are refused with BUSY (OOM)`;
  return used < FULL * max ? warn('redis memory', remedy) : fail('redis memory', remedy);
}

function* persistenceOf(info: Info, where: string): Generator<Finding> {
  const isAof = info.get('aof_enabled') === '1';
  const failing = ['aof_last_write_status', 'rdb_last_bgsave_status', 'aof_last_bgrewrite_status'].filter(
    (field) => info.get(field) === 'err',
  );
  if (failing.length > 0)
    yield fail('redis persistence', `${where} cannot write to its disk (${failing.join(', ')}): see its log`);
  else if (isAof) yield ok('redis persistence', `${where}: appendonly yes`);
  else
    yield warn(
      'redis persistence',
      `${where}: appendonly no; when Redis dies, clients send again what was not saved yet. Set appendonly yes, appendfsync everysec`,
    );
}

async function replicasOf(client: Redis, info: Info, where: string): Promise<Finding> {
  const connected = Number(info.get('connected_slaves') ?? 0);
  const wanted = Number((await configOf(client, 'min-replicas-to-write')) ?? 0);
  const good = Number(info.get('min_slaves_good_slaves') ?? connected);
  if (wanted > good)
    return fail(
      'redis replicas',
      `${where} takes no writes (NOREPLICAS): min-replicas-to-write is ${wanted}, and ${good} are there`,
    );
  return ok('redis replicas', `${where}: ${connected}`);
}

async function keyspaceEventsOf(client: Redis, where: string): Promise<Finding> {
  const events = await configOf(client, 'notify-keyspace-events');
  if (events === undefined) return ok('keyspace events', `${where} does not tell (CONFIG); nothing depends on them`);
  const isOn = events.includes('E') && /[xA]/.test(events);
  return ok('keyspace events', `${where}: ${isOn ? `on (${events})` : 'off'}; nothing depends on them`);
}

/** Undefined: CONFIG is not allowed, as with managed servers, or there is no such setting. */
async function configOf(client: Redis, name: string): Promise<string | undefined> {
  try {
    const answer: unknown = await client.call('CONFIG', 'GET', name);
    return Array.isArray(answer) ? String(answer[1] ?? '') : undefined;
  } catch {
    return undefined;
  }
}
