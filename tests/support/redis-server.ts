import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { eventually } from './eventually';

const START_DEADLINE_MS = 15_000;
const STOP_DEADLINE_MS = 5_000;
const ANSWER_DEADLINE_MS = 1_000;
const MAX_PORTS_TRIED = 5;
/** A server that is down or stands still is told at once. */
const COMMAND_TIMEOUT_MS = 2_000;
/** Six of them form a cluster; each master needs a replica. */
const CLUSTER_NODES = 6;
const CLUSTER_SETTINGS = [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--appendonly', 'no'],
  ...['--repl-diskless-sync-delay', '0'],
];

/** A redis-server of a test's own, on a free port of the loopback device, with its files in a temporary directory. */
export class RedisServer {
  readonly port: number;
  readonly directory: string;
  readonly #args: readonly string[];
  /** Settings that come before those of the command line. */
  readonly #file: readonly string[];
  #process: ChildProcess | undefined;

  static async start(...args: string[]): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'flow-redis-'));
    return RedisServer.#onFreePort((port) => new RedisServer(port, directory, args));
  }

  /** A sentinel keeps what it learns in its file of settings. */
  static async startSentinel(settings: readonly string[]): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'flow-sentinel-'));
    const file = join(directory, 'sentinel.conf');
    await writeFile(file, settings.map((line) => `${line}\n`).join(''));
    return RedisServer.#onFreePort((port) => new RedisServer(port, directory, ['--sentinel'], [file]));
  }

  /** Somebody else may take a free port first. */
  static async #onFreePort(make: (port: number) => RedisServer): Promise<RedisServer> {
    for (let attempt = 1; ; attempt += 1) {
      const server = make(await freePort());
      try {
        await server.launch();
        return server;
      } catch (fault) {
        if (attempt === MAX_PORTS_TRIED) throw fault;
      }
    }
  }

  private constructor(port: number, directory: string, args: readonly string[], file: readonly string[] = []) {
    this.port = port;
    this.directory = directory;
    this.#args = args;
    this.#file = file;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Also after `kill`: with the same port and files. */
  async launch(): Promise<void> {
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', ''];
    const args = [...this.#file, ...settings, '--daemonize', 'no', ...this.#args];
    const child = spawn('redis-server', args, { stdio: 'ignore' });
    this.#process = child;
    let failure: Error | undefined;
    child.once('error', (cause) => {
      failure = cause;
    });
    child.once('exit', (code) => {
      failure ??= new Error(`redis-server on port ${this.port} ended with ${code}`);
    });
    const isUp = async (): Promise<boolean> => failure !== undefined || this.#answers();
    await eventually(`redis-server on port ${this.port}`, isUp, START_DEADLINE_MS);
    if (failure) throw failure;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** One command, or a few, on a connection of their own. */
  async command<Answer>(run: (client: Redis) => Promise<Answer>): Promise<Answer> {
    const client = new Redis(this.port, '127.0.0.1', { commandTimeout: COMMAND_TIMEOUT_MS, retryStrategy: null });
    client.on('error', () => {});
    try {
      return await run(client);
    } finally {
      client.disconnect();
    }
  }

  /** Dies as in a loss of power: nothing is written any more. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Between `kill` and `launch`: everything it had written is gone. */
  async wipe(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    await mkdir(this.directory);
  }

  /** Gone, with its files. */
  async stop(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(STOP_DEADLINE_MS) });
    child.kill(signal);
    await exited;
  }

  /** Any reply will do: one that wants a password is up, too. */
  async #answers(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1');
    // Whatever else may listen there need not answer.
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    try {
      await once(socket, 'connect', { signal });
      socket.write('PING\r\n');
      const [reply] = (await once(socket, 'data', { signal })) as [Buffer];
      return !reply.toString().startsWith('-LOADING');
    } finally {
      socket.destroy();
    }
  }
}

/** Three masters with a replica each. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  static async start(): Promise<RedisCluster> {
    const nodes = await Promise.all(
      Array.from({ length: CLUSTER_NODES }, () => RedisServer.start(...CLUSTER_SETTINGS)),
    );
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await promisify(execFile)('redis-cli', [
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      '1',
      '--cluster-yes',
    ]);
    const cluster = new RedisCluster(nodes);
    await cluster.whole();
    return cluster;
  }

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** All of it dies as in a loss of power. */
  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** After `kill`: the same cluster. */
  async launch(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.launch()));
    await this.whole();
  }

  /** What the first node says that answers. */
  async anyNode<Answer>(run: (client: Redis) => Promise<Answer>): Promise<Answer> {
    let fault: unknown;
    for (const node of this.nodes) {
      try {
        return await node.command(run);
      } catch (thrown) {
        fault = thrown;
      }
    }
    throw new Error('no node of the cluster answers', { cause: fault });
  }

  /** Masters by the slots they have. */
  async slots(): Promise<ReadonlyArray<{ from: number; to: number; port: number }>> {
    const found = await this.anyNode((client) => client.cluster('SLOTS'));
    return found.map(([from, to, master]) => ({ from, to, port: Number(master?.[1]) }));
  }

  async masterOf(slot: number): Promise<RedisServer> {
    const range = (await this.slots()).find(({ from, to }) => from <= slot && slot <= to);
    const node = this.nodes.find(({ port }) => port === range?.port);
    if (!node) throw new Error(`slot ${slot} has no master`);
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Every node is there, knows all slots and all others, and every master has its replica. */
  async whole(): Promise<void> {
    await eventually('the cluster to be whole', () => this.#isWhole(), START_DEADLINE_MS);
  }

  async #isWhole(): Promise<boolean> {
    const known = await Promise.all(
      this.nodes.map((node) =>
        node.command(async (client) => ({
          info: await client.cluster('INFO'),
          nodes: String(await client.cluster('NODES')),
          replication: await client.info('replication'),
        })),
      ),
    );
    return known.every(
      ({ info, nodes, replication }) =>
        // A replica that never had its master's data does not take its place.
        !replication.includes('master_link_status:down') &&
        info.includes('cluster_state:ok') &&
        nodes.trim().split('\n').length === CLUSTER_NODES &&
        nodes.match(/\bslave\b/g)?.length === CLUSTER_NODES / 2 &&
        !nodes.includes('fail'),
    );
  }
}

/**
 * Systems take ports for outgoing connections from 32,768 on, and this project's own servers theirs from 20,000 on; a cluster node also takes
 * the port ten thousand above.
 */
const PORTS = { from: 4_000, to: 9_999 };
const CLUSTER_BUS = 10_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if ((await isFree(port)) && (await isFree(port + CLUSTER_BUS))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
