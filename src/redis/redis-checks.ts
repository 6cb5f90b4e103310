import type { Cluster, Redis } from 'ioredis';
import { FlowError } from '../protocol/errors';

const NEEDED = { single: [6, 2], cluster: [7, 0] } as const;

/** What a server says of itself, as `INFO` has it: one `name:value` a line. */
export function readInfo(info: string): ReadonlyMap<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':') && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** Rejects with what is wrong with a Redis for this server; answers what is only unwise. `where`: its address. */
export async function checkServer(
  client: Redis | Cluster,
  where: string,
  kind: 'single' | 'cluster',
): Promise<string[]> {
  let info: ReadonlyMap<string, string>;
  try {
    info = readInfo(await client.info());
  } catch {
    return [
      `Redis at ${where} does not allow INFO, so neither its version nor its maxmemory-policy could be checked: it must be noeviction.`,
    ];
  }
  const version = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor, neededMinor] = NEEDED[kind];
  if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
    throw new FlowError(
      'BACKEND_UNAVAILABLE',
      `Redis ${neededMajor}.${neededMinor} is needed; at ${where} there is ${version}.`,
    );
  }
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return [];
  const remedy = `Redis at ${where} has maxmemory-policy ${policy}; with it Redis throws away what is not saved yet when it is full. Set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf).`;
  if ((info.get('maxmemory') ?? '0') !== '0') throw new FlowError('BACKEND_UNAVAILABLE', remedy);
  return [remedy];
}
