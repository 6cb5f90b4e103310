import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { load } from 'js-yaml';
import { z } from 'zod';
import { settingNames, variableOf } from '../../config/schema';
import { eventually } from '../support/eventually';
import { portToComeBackTo, Processes } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const DEADLINE_MS = 90_000;
const FILES = ['docker-compose.yml', 'docker-compose.redis-cluster.yml'] as const;

const service = z.object({
  image: z.string(),
  container_name: z.string().optional(),
  ports: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  command: z.tuple([z.literal('sh'), z.literal('-c'), z.string()]),
  healthcheck: z.object({ test: z.tuple([z.literal('CMD-SHELL'), z.string()]) }).optional(),
  volumes: z.array(z.string()).default([]),
  networks: z.union([z.array(z.string()), z.record(z.string(), z.object({ ipv4_address: z.string() }))]).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const compose = z.object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) });

const text = (file: (typeof FILES)[number]): string => readFileSync(path.join(__dirname, '../..', file), 'utf8');
const read = (file: (typeof FILES)[number]) => compose.parse(load(text(file)));

/** A command as the container's shell gets it. */
const unescaped = (command: string): string => command.replaceAll('$$', '$');

describe.each(FILES)('%s', (file) => {
  const { services, volumes } = read(file);

  test('takes only variables that the server reads, too', () => {
    const known = new Set(settingNames.map(variableOf));
    const used = [...text(file).matchAll(/(?<!\$)\$\{?([A-Z_]+)/g)].map(([, name = '']) => name);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });

  test('listens on this machine only', () => {
    const ports = Object.values(services).flatMap((each) => each.ports);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('keeps what it has in volumes that are declared', () => {
    const used = Object.values(services).flatMap((each) => each.volumes.map((volume) => volume.split(':')[0]));
    expect(new Set(used)).toEqual(new Set(Object.keys(volumes)));
  });
});

test.each(['', 'hush hush'])(
  'the command of docker-compose.yml, run here with the password "%s", is a Redis as the server wants it, and healthy',
  async (password) => {
    const { redis } = read('docker-compose.yml').services;
    const port = await portToComeBackTo();
    const directory = await processes.directory();
    const inContainer = { env: { REDIS_PASSWORD: password }, cwd: directory };
    await processes.launch(['sh', '-c', `${unescaped(redis?.command[2] ?? '')} --port ${port}`], inContainer);
    const check = unescaped(redis?.healthcheck?.test[1] ?? '').replace('redis-cli', `redis-cli -p ${port}`);
    await eventually('it is healthy', async () => {
      expect((await (await processes.launch(['sh', '-c', check], inContainer)).ended).code).toBe(0);
    });
    const client = new Redis({ port, host: '127.0.0.1', ...(password ? { password } : {}) });
    try {
      expect(await client.info()).toMatch(/maxmemory_policy:noeviction/);
      expect(await client.info()).toMatch(/aof_enabled:1/);
    } finally {
      client.disconnect();
    }
    const stranger = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false, protocol: 2 });
    try {
      const answer = await stranger.set('a', '1').catch((fault: unknown) => String(fault));
      expect(answer).toMatch(password ? /NOAUTH/ : /^OK$/);
    } finally {
      stranger.disconnect();
    }
  },
  DEADLINE_MS,
);

/** The nodes talk to each other ten thousand above; also that is below what systems take for outgoing connections. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const busPort = await portToComeBackTo();
    const server = createServer().listen(busPort - 10_000, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return busPort - 10_000;
  }
}

test(
  'the nodes of docker-compose.redis-cluster.yml, run here under addresses of their own, become a cluster that is used through 127.0.0.1',
  async () => {
    const { 'redis-cluster-init': init, ...nodes } = read('docker-compose.redis-cluster.yml').services;
    expect(Object.keys(nodes)).toHaveLength(6);
    expect(Object.keys(init?.depends_on ?? {})).toEqual(Object.keys(nodes));
    let create = unescaped(init?.command[2] ?? '');
    const ports: number[] = [];
    for (const [index, node] of Object.values(nodes).entries()) {
      const { PORT = '' } = node.environment;
      expect(node.ports).toEqual([`127.0.0.1:${PORT}:${PORT}`]);
      const networks = node.networks;
      const inside = networks && !Array.isArray(networks) ? networks['redis-cluster']?.ipv4_address : undefined;
      const port = await clusterPort();
      ports.push(port);
      // Inside, a node has another address than the one that clients are told.
      const own = `127.0.0.${11 + index}`;
      expect(create).toContain(`${inside}:${PORT}`);
      create = create.replace(`${inside}:${PORT}`, `${own}:${port}`);
      const command = `${unescaped(node.command[2])} --bind ${own} 127.0.0.1 --bind-source-addr ${own}`;
      await processes.launch(['sh', '-c', command], { env: { PORT: String(port) } });
      const check = unescaped(node.healthcheck?.test[1] ?? '');
      await eventually(`node ${index + 1} is healthy`, async () => {
        const ended = (await processes.launch(['sh', '-c', check], { env: { PORT: String(port) } })).ended;
        expect((await ended).code).toBe(0);
      });
    }
    const made = await processes.launch(['sh', '-c', create]);
    expect(await made.ended).toMatchObject({ code: 0 });
    expect(made.lines.join('\n')).toContain('All 16384 slots covered');
    // Again: it is there already, and stays as it is.
    const again = await processes.launch(['sh', '-c', create]);
    expect(await again.ended).toMatchObject({ code: 0 });
    expect(again.lines).toEqual([]);

    const cluster = new Cluster([{ host: '127.0.0.1', port: ports[0] ?? 0 }], { lazyConnect: true });
    try {
      await cluster.connect();
      for (let key = 0; key < 100; key += 1) await cluster.set(`key-${key}`, key);
      const hosts = cluster.nodes('all').map(({ options }) => options.host);
      expect(new Set(hosts)).toEqual(new Set(['127.0.0.1']));
      expect(cluster.nodes('master').map(({ options }) => options.port)).toHaveLength(3);
    } finally {
      cluster.disconnect();
    }
  },
  DEADLINE_MS,
);
