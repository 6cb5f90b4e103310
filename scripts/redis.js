// A Redis for development: npm run redis:up, redis:down, redis:cli, docker:up. In Docker where there is an engine (docker-compose.yml), else a
// redis-server of this machine with its files in ./data/redis. Address and password are the server's own settings: REDIS_* and .env.

const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { Redis } = require('ioredis');

const DIRECTORY = path.resolve('data/redis');
const PID_FILE = path.join(DIRECTORY, 'redis.pid');
/** It may have been started under another REDIS_PORT. */
const PORT_FILE = path.join(DIRECTORY, 'redis.port');
const DEFAULT_PORT = 6379;
const DEADLINE_MS = 10_000;
const POLL_MS = 50;
/** An engine that does not answer by then is none. */
const DOCKER_DEADLINE_MS = 10_000;
const LOCAL = ['localhost', '127.0.0.1', '::1', '[::1]'];
const WAYS =
  'There is neither a Docker engine nor a redis-server on the PATH: start Docker, or install one (apt-get install redis-server, dnf install redis, apk add redis, brew install redis).';

/** What went wrong, for a person: one line, without a stack. */
class Trouble extends Error {}

/** Where the settings say Redis is. */
function wanted() {
  require('dotenv').config({ quiet: true });
  const { REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, REDIS_USERNAME, REDIS_TLS } = process.env;
  const url = REDIS_URL ? new URL(REDIS_URL) : null;
  return {
    host: url?.hostname || REDIS_HOST || 'localhost',
    port: Number(url ? url.port || DEFAULT_PORT : REDIS_PORT || DEFAULT_PORT),
    username: decodeURIComponent(url?.username ?? '') || REDIS_USERNAME || '',
    password: decodeURIComponent(url?.password ?? '') || REDIS_PASSWORD || '',
    isTls: url?.protocol === 'rediss:' || ['true', '1'].includes(REDIS_TLS ?? ''),
  };
}

/** Why what is wanted is not this script's to start; empty: it is. @param {ReturnType<typeof wanted>} redis */
function objectionTo({ host, username, isTls }) {
  const foreign = ['REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'].find((name) => process.env[name]);
  if (foreign)
    return `${foreign} is set: this starts a single Redis. For a cluster see docker-compose.redis-cluster.yml.`;
  if (!LOCAL.includes(host)) return `REDIS_HOST (or REDIS_URL) is ${host}: this starts a Redis on this machine only.`;
  if (isTls) return 'REDIS_TLS is on: this starts a Redis without TLS.';
  if (username) return 'REDIS_USERNAME is set: this starts a Redis without users of its own.';
  return '';
}

async function up() {
  const redis = wanted();
  const { port, password } = redis;
  const objection = objectionTo(redis);
  if (objection) throw new Trouble(objection);
  if (await answers(port)) return console.log(`A Redis answers at 127.0.0.1:${port} already.`);
  if (hasDocker()) return compose('up', '-d', '--wait', 'redis');
  if (!isOnPath('redis-server')) throw new Trouble(WAYS);
  mkdirSync(DIRECTORY, { recursive: true });
  // Over stdin: what is on the command line everybody on this machine can read.
  const started = spawnSync('redis-server', ['-'], { input: configuration(port, password), encoding: 'utf8' });
  writeFileSync(PORT_FILE, String(port));
  const deadline = Date.now() + DEADLINE_MS;
  while (started.status === 0 && Date.now() < deadline) {
    if (await answers(port)) {
      return console.log(
        `Redis runs at 127.0.0.1:${port} (process ${ownPid()}), with its data in ${DIRECTORY}. npm run redis:down stops it.`,
      );
    }
    await delay(POLL_MS);
  }
  throw new Trouble(`redis-server did not start: ${started.stderr || `see ${DIRECTORY}/redis.log`}`);
}

/** Saved every second; full, it refuses instead of throwing away what is not saved yet. @param {number} port @param {string} password */
function configuration(port, password) {
  const text = (/** @type {string} */ value) => `"${value.replace(/["\\]/g, '\\$&')}"`;
  return [
    `port ${port}`,
    'bind 127.0.0.1 -::1',
    `dir ${text(DIRECTORY)}`,
    `pidfile ${text(PID_FILE)}`,
    `logfile ${text(path.join(DIRECTORY, 'redis.log'))}`,
    'daemonize yes',
    'save ""',
    'appendonly yes',
    'appendfsync everysec',
    'maxmemory-policy noeviction',
    ...(password ? [`requirepass ${text(password)}`] : []),
    '',
  ].join('\n');
}

/** Stops exactly the one that `up` started. */
async function down() {
  const pid = ownPid();
  if (pid === null) {
    if (hasDocker()) return compose('down');
    return console.log('No Redis was started here.');
  }
  const port = ownPort();
  const { password } = wanted();
  if (!(await isProcess(port, password, pid))) {
    if (isAlive(pid)) throw new Trouble(`At 127.0.0.1:${port} another Redis answers than process ${pid}: left alone.`);
    forget();
    return console.log('The Redis that was started here is gone already.');
  }
  await withClient(port, password, (client) => client.shutdown().catch(() => {}));
  const deadline = Date.now() + DEADLINE_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Trouble(`Process ${pid} has not ended: see ${DIRECTORY}/redis.log.`);
    await delay(POLL_MS);
  }
  forget();
  console.log(`Redis at 127.0.0.1:${port} (process ${pid}) has stopped. Its data stays in ${DIRECTORY}.`);
}

/** @param {string[]} args */
function cli(args) {
  const { host, port, username, password, isTls } = wanted();
  if (isOnPath('redis-cli')) {
    const where = [
      '-h',
      host,
      '-p',
      String(port),
      ...(username ? ['--user', username] : []),
      ...(isTls ? ['--tls'] : []),
    ];
    // Through the environment: the command line everybody on this machine can read.
    return run('redis-cli', [...where, ...args], { ...process.env, ...(password ? { REDISCLI_AUTH: password } : {}) });
  }
  if (!hasDocker()) throw new Trouble('There is no redis-cli on the PATH, and no Docker engine.');
  const inside = 'REDISCLI_AUTH="$REDIS_PASSWORD" exec redis-cli "$@"';
  compose('exec', ...(process.stdin.isTTY ? [] : ['-T']), 'redis', 'sh', '-c', inside, 'redis-cli', ...args);
}

function dockerUp() {
  if (!hasDocker()) throw new Trouble('There is no Docker engine: start Docker. npm run redis:up can do without.');
  compose('up', '-d', '--wait');
}

/** @param {string[]} args */
const compose = (...args) => run('docker', ['compose', '-f', path.join(__dirname, '../docker-compose.yml'), ...args]);

/** @param {string} command @param {string[]} args */
function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env });
  if (error) throw new Trouble(error.message);
  process.exitCode = status ?? 1;
}

/** An engine that runs, with the compose plugin. */
const hasDocker = () =>
  [['compose', 'version'], ['info']].every(
    (args) => spawnSync('docker', args, { stdio: 'ignore', timeout: DOCKER_DEADLINE_MS }).status === 0,
  );

/** @param {string} program */
const isOnPath = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

const ownPid = () => (existsSync(PID_FILE) ? Number(readFileSync(PID_FILE, 'utf8')) : null);

const ownPort = () => (existsSync(PORT_FILE) ? Number(readFileSync(PORT_FILE, 'utf8')) : DEFAULT_PORT);

function forget() {
  for (const file of [PID_FILE, PORT_FILE]) rmSync(file, { force: true });
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Any reply will do: one that wants a password is there, too. @param {number} port */
const answers = (port) =>
  withClient(port, '', async (client) => {
    await client.call('PING').catch((fault) => {
      if (!(fault instanceof Error) || fault.name !== 'ReplyError') throw fault;
    });
    return true;
  }).catch(() => false);

/** Whether the Redis at this port is that process. @param {number} port @param {string} password @param {number} pid */
const isProcess = (port, password, pid) =>
  withClient(port, password, async (client) => (await client.info('server')).includes(`process_id:${pid}\r`)).catch(
    () => false,
  );

/**
 * @template Answer
 * @param {number} port
 * @param {string} password
 * @param {(client: import('ioredis').Redis) => Promise<Answer>} ask
 */
async function withClient(port, password, ask) {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    ...(password ? { password } : {}),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: () => null,
    connectTimeout: DEADLINE_MS,
  });
  // Told by what is asked.
  client.on('error', () => {});
  try {
    await client.connect();
    return await ask(client);
  } finally {
    client.disconnect();
  }
}

/** @type {Record<string, (args: string[]) => unknown>} */
const COMMANDS = { up, down, cli, 'docker-up': dockerUp };

/** @param {string[]} argv */
async function main([command = '', ...args]) {
  const run = COMMANDS[command];
  if (!run) throw new Trouble(`${command}: there are ${Object.keys(COMMANDS).join(', ')}`);
  await run(args);
}

module.exports = { up, Trouble };

if (require.main === module) {
  main(process.argv.slice(2)).catch((fault) => {
    console.error(fault instanceof Trouble ? fault.message : fault);
    process.exitCode = 1;
  });
}
