import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { RedisKeys } from '../../src/redis/keys';
import { CURRENT_FORMAT } from '../../src/storage/lmdb/lmdb-format';
import { examine, type Examination } from '../support/doctor';
import { eventually } from '../support/eventually';
import { RedisCluster, RedisServer } from '../support/redis-server';
import { portToComeBackTo, Processes, type Variables } from '../support/server-process';

const processes = new Processes();
const servers: Array<{ stop(): Promise<void> }> = [];
afterEach(async () => {
  await processes.clean();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const ON: Variables = { USE_REDIS_EVENT_ORDERING: 'true' };
const DEADLINE_MS = 90_000;

async function startRedis(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...args);
  servers.push(server);
  return server;
}

const address = ({ port }: { port: number }): Variables => ({
  REDIS_HOST: '127.0.0.1',
  REDIS_PORT: String(port),
});

/** One command on a connection of its own. */
async function command(port: number, ...words: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1', { enableReadyCheck: false });
  try {
    return await client.call(...words);
  } finally {
    client.disconnect();
  }
}

/** What the doctor says of a Redis that the flags ask for. */
const ofRedis = (env: Variables): Promise<Examination> => examine(processes, { ...ON, ...env });

/** What fails where something does. */
async function failureOf(env: Variables): Promise<string> {
  const { code, of } = await ofRedis(env);
  expect(code).toBe(1);
  return of('FAIL').join('\n');
}

test('a Redis that is well set up: every line is ok, and nothing was written', async () => {
  const redis = await startRedis('--appendonly', 'yes', '--maxmemory', '64mb', '--notify-keyspace-events', 'Ex');
  await command(redis.port, 'SET', 'somebody:else', '1');
  await command(redis.port, 'CONFIG', 'RESETSTAT');
  const { code, of, lines } = await ofRedis(address(redis));
  expect({ code, notOk: [...of('warn'), ...of('FAIL')] }).toEqual({ code: 0, notOk: [] });
  for (const what of ['settings', 'redis commands', 'redis memory', 'redis persistence', 'keyspace events', 'unsaved'])
    expect(lines.some((line) => line.startsWith(`ok    ${what}`))).toBe(true);
  const used = String(await command(redis.port, 'INFO', 'commandstats'));
  expect(used).toMatch(/cmdstat_hmget|cmdstat_smembers/);
  expect(used).not.toMatch(/cmdstat_(set|hset|del|xadd|zadd|zrem|sadd|eval|evalsha|flushall|config\|set)/);
});

test('all it needs is .env: it finds it where it is run, and says what Redis it asks for', async () => {
  const redis = await startRedis();
  const cwd = await processes.directory();
  await writeFile(join(cwd, '.env'), `REDIS_URL=${redis.url}\nUSE_REDIS_WEBSOCKETS=true\n`);
  const { code, lines } = await examine(processes, {}, { cwd });
  expect(code).toBe(0);
  expect(lines.join('\n')).toMatch(/websockets redis, collaboration memory/);
});

test('every fault of the settings is told at once, by name', async () => {
  const { code, lines } = await ofRedis({ REDIS_PORT: 'six', USE_REDIS_CACHE: 'true', DOCUMENT_STORE: 'paper' });
  expect(code).toBe(1);
  expect(lines.map((line) => /^FAIL {2}settings +([A-Z_]+):/.exec(line)?.[1])).toEqual([
    'REDIS_PORT',
    'DOCUMENT_STORE',
    'USE_REDIS_CACHE',
  ]);
});

test('with all flags off a Redis that is not there is only a warning, and without an address none is looked for', async () => {
  const port = await portToComeBackTo();
  const given = await examine(processes, address({ port }));
  expect(given.code).toBe(0);
  expect(given.of('warn').join()).toMatch(/ECONNREFUSED.*No USE_REDIS_\* flag/);
  expect((await examine(processes, {})).lines.join('\n')).toMatch(/^ok {4}redis +not used/m);
});

describe('what is wrong with Redis is told with the variable to change', () => {
  test('nobody listens', async () => {
    expect(await failureOf(address({ port: await portToComeBackTo() }))).toMatch(
      /ECONNREFUSED.*REDIS_HOST and REDIS_PORT/,
    );
  });

  test('a password is wanted, is wrong, and is wrong for a user of its own', async () => {
    const redis = await startRedis('--requirepass', 'hush');
    expect(await failureOf(address(redis))).toMatch(/set REDIS_PASSWORD/);
    const { lines } = await ofRedis({ ...address(redis), REDIS_PASSWORD: 'not-the-one' });
    expect(lines.join('\n')).toMatch(/FAIL.*check REDIS_PASSWORD and REDIS_USERNAME/);
    expect(lines.join('\n')).not.toContain('not-the-one');
    expect(await failureOf({ ...address(redis), REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush' })).toMatch(
      /check REDIS_PASSWORD and REDIS_USERNAME/,
    );
    expect((await ofRedis({ ...address(redis), REDIS_PASSWORD: 'hush' })).code).toBe(0);
  });

  test('a password is set, and Redis has none', async () => {
    const redis = await startRedis();
    expect(await failureOf({ ...address(redis), REDIS_PASSWORD: 'hush' })).toMatch(
      /has no password, but REDIS_PASSWORD is set/,
    );
  });

  test('a user may not do what is needed', async () => {
    const redis = await startRedis('--user', 'ada', 'on', '>hush', '+ping', '+auth', '+hello', '~*');
    expect(await failureOf({ ...address(redis), REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush' })).toMatch(
      /give REDIS_USERNAME the commands/,
    );
  });

  test('TLS on one side only, and a certificate that nobody signed', async () => {
    const files = await selfSigned(await processes.directory());
    const tls = { port: await portToComeBackTo() };
    const redis = await startRedis('--tls-port', String(tls.port), ...files, '--tls-auth-clients', 'no');
    expect(await failureOf(address(tls))).toMatch(/speaks TLS only: set REDIS_TLS=true/);
    expect(await failureOf({ ...address(redis), REDIS_TLS: 'true' })).toMatch(
      /speaks without TLS: set REDIS_TLS=false/,
    );
    expect(await failureOf({ ...address(tls), REDIS_TLS: 'true' })).toMatch(
      /certificate .* is not trusted: set REDIS_TLS_CA .*self-signed/,
    );
  });

  test('something else listens there', async () => {
    const web = await processes.startServer({ documents: await processes.directory() });
    expect(await failureOf(address({ port: Number(new URL(web.url).port) }))).toMatch(/does not answer as Redis does/);
  });

  test('Redis is reading its data', async () => {
    const slowly = ['--key-load-delay', '50000', '--loading-process-events-interval-bytes', '1024'];
    const redis = await startRedis('--rdbcompression', 'no', ...slowly);
    const fill = "for i = 1, 200 do redis.call('SET', i, string.rep('x', 512)) end";
    await command(redis.port, 'EVAL', fill, '0');
    await command(redis.port, 'SAVE');
    await redis.kill();
    // Nobody waits until it has done.
    redis.launch().catch(() => {});
    await eventually('it is loading', async () => {
      await expect(command(redis.port, 'PING')).rejects.toThrow(/LOADING/);
    });
    expect(await failureOf(address(redis))).toMatch(/still reading its data/);
  });

  test('a replica', async () => {
    const master = await startRedis();
    const replica = await startRedis('--replicaof', '127.0.0.1', String(master.port));
    expect(await failureOf(address(replica))).toMatch(
      new RegExp(`replica \\(READONLY\\): REDIS_HOST must be the master, .*127\\.0\\.0\\.1:${master.port}`),
    );
  });

  test('replicas that are wanted and not there', async () => {
    const redis = await startRedis('--min-replicas-to-write', '2');
    expect(await failureOf(address(redis))).toMatch(/NOREPLICAS.*min-replicas-to-write is 2, and 0/);
  });

  test('a policy that throws keys away, and a Redis that is nearly full', async () => {
    const redis = await startRedis('--maxmemory-policy', 'allkeys-lru');
    expect((await ofRedis(address(redis))).of('warn').join()).toMatch(/maxmemory-policy allkeys-lru.*noeviction/);
    await command(redis.port, 'CONFIG', 'SET', 'maxmemory', '64mb');
    expect(await failureOf(address(redis))).toMatch(/maxmemory-policy allkeys-lru.*noeviction/);
    await command(redis.port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await command(redis.port, 'SET', 'ballast', 'x'.repeat(4_000_000));
    const used = Number(/used_memory:(\d+)/.exec(String(await command(redis.port, 'INFO', 'memory')))?.[1]);
    await command(redis.port, 'CONFIG', 'SET', 'maxmemory', String(Math.ceil(used * 1.1)));
    expect((await ofRedis(address(redis))).of('warn').join()).toMatch(/MiB \(maxmemory\): raise maxmemory/);
    await command(redis.port, 'CONFIG', 'SET', 'maxmemory', String(used));
    expect(await failureOf(address(redis))).toMatch(/raise maxmemory.*OOM/);
  });

  test('commands that were renamed away', async () => {
    const redis = await startRedis('--rename-command', 'XADD', '');
    expect(await failureOf(address(redis))).toMatch(/lacks xadd/);
  });

  test('no persistence is a warning, and a disk that cannot be written a failure', async () => {
    const redis = await startRedis();
    expect((await ofRedis(address(redis))).of('warn').join()).toMatch(/appendonly no/);
    await rm(redis.directory, { recursive: true });
    await command(redis.port, 'BGSAVE');
    await eventually('the save has failed', async () =>
      String(await command(redis.port, 'INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
    );
    expect(await failureOf(address(redis))).toMatch(/cannot write to its disk \(rdb_last_bgsave_status\)/);
  });

  test('no sentinel where one should be', async () => {
    const redis = await startRedis();
    const env = { REDIS_SENTINELS: `127.0.0.1:${redis.port}`, REDIS_SENTINEL_NAME: 'main' };
    expect(await failureOf(env)).toMatch(/is no sentinel: check REDIS_SENTINELS/);
  });
});

describe('a cluster', () => {
  const nodes = (...ports: number[]): Variables => ({
    REDIS_CLUSTER_NODES: ports.map((port) => `127.0.0.1:${port}`).join(','),
  });

  test(
    'that is whole is well; with a master gone it is told which slots are not served',
    async () => {
      const cluster = await RedisCluster.start();
      servers.push(cluster);
      const [first, second] = cluster.nodes.map(({ port }) => port);
      const gone = await portToComeBackTo();
      const whole = await ofRedis(nodes(gone, first ?? 0, second ?? 0));
      expect(whole.of('FAIL')).toEqual([]);
      expect(whole.code).toBe(0);
      expect(whole.lines.join('\n')).toMatch(/all 16384 slots are served/);
      expect(whole.of('warn').join('\n')).toMatch(new RegExp(`${gone} .*REDIS_CLUSTER_NODES`));
      expect(whole.of('ok').filter((line) => line.includes('redis memory'))).toHaveLength(3);

      for (const node of cluster.nodes.slice(1)) await node.kill();
      await eventually(
        'the cluster is down',
        async () => String(await command(first ?? 0, 'CLUSTER', 'INFO')).includes('cluster_state:fail'),
        20_000,
      );
      expect(await failureOf(nodes(first ?? 0))).toMatch(/CLUSTERDOWN/);
      expect(await failureOf(nodes(first ?? 0))).toMatch(/announces a master at .* cannot be used from here/);
    },
    DEADLINE_MS,
  );

  test('without slots, and one whose node is given as if it were alone', async () => {
    const redis = await startRedis('--cluster-enabled', 'yes');
    expect(await failureOf(nodes(redis.port))).toMatch(/0 of 16384 slots are served \(CLUSTERDOWN\)/);
    expect(await failureOf(address(redis))).toMatch(/set REDIS_CLUSTER_NODES instead of REDIS_HOST/);
  });

  test('that announces an address nobody can reach', async () => {
    const redis = await startRedis('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.9');
    await command(redis.port, 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually('it serves', async () =>
      String(await command(redis.port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
    expect(await failureOf(nodes(redis.port))).toMatch(/announces a master at 127\.0\.0\.9:\d+, .*cluster-announce-ip/);
  });

  test('that is none', async () => {
    const redis = await startRedis();
    expect(await failureOf(nodes(redis.port))).toMatch(/set REDIS_HOST instead of REDIS_CLUSTER_NODES/);
  });
});

describe('the store', () => {
  test('in memory is a warning', async () => {
    expect((await examine(processes, { DOCUMENT_STORE: 'memory' })).of('warn').join()).toMatch(/DOCUMENT_STORE=memory/);
  });

  test('that a server has open is read beside it, and left as it is', async () => {
    const redis = await startRedis();
    const documents = await processes.directory();
    const env = { ...ON, REDIS_URL: redis.url, DOCUMENT_DIR: documents };
    const server = await processes.startServer({ documents, env: { ...env, INSTANCE_ID: 'first' } });
    const made = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { authorization: 'Bearer Ada', 'content-type': 'application/json' },
      body: '{"format":"json"}',
    });
    expect(made.status).toBe(201);
    const before = await readFile(join(documents, 'documents.mdb'));
    const { lines, code } = await examine(processes, env);
    expect(code).toBe(0);
    expect(lines.join('\n')).toContain(`format ${CURRENT_FORMAT}, 1 sessions`);
    expect(lines.join('\n')).toMatch(new RegExp(`store in use +by process ${server.pid}`));
    expect(lines.join('\n')).toMatch(/first \(pid \d+ on .*\) is alive and runs with these flags/);
    expect((await readFile(join(documents, 'documents.mdb'))).equals(before)).toBe(true);

    const other = await examine(processes, { ...env, USE_REDIS_WEBSOCKETS: 'true' });
    expect(other.of('warn').join()).toMatch(/first .* other flags: websockets in memory, here redis\. Restart it/);
  });

  test('that is damaged is told, and where it is', async () => {
    const documents = await processes.directory();
    await writeFile(join(documents, 'documents.mdb'), 'this is no database'.repeat(1_000));
    const { code, of } = await examine(processes, { DOCUMENT_DIR: documents });
    expect(of('FAIL').join()).toMatch(/cannot be read \(DOCUMENT_DIR\).*restore it from a backup/);
    expect(code).toBe(1);
  });
});

test('operations that only Redis has are counted', async () => {
  const redis = await startRedis();
  const keys = new RedisKeys('flow:');
  await command(redis.port, 'HSET', keys.orderingMeta('s'), 'epoch', '1', 'seq', '5', 'tag', 'a', 'savedSeq', '2');
  await command(redis.port, 'SADD', keys.orderingUnsaved(), 's', 't');
  expect((await ofRedis(address(redis))).of('warn').join()).toMatch(/3 operations of 1 sessions are in Redis only/);
});

/** A certificate for nobody, as arguments of redis-server. */
async function selfSigned(directory: string): Promise<string[]> {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const how = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'];
  await promisify(execFile)('openssl', ['req', ...how, '-keyout', key, '-out', certificate]);
  return ['--tls-key-file', key, '--tls-cert-file', certificate, '--tls-ca-cert-file', certificate];
}
