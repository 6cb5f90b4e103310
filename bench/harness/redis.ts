import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { within } from './deadline';
import { roaming } from './pinning';
import { freePort } from './server';

const START_DEADLINE_MS = 10_000;
const RETRY_MS = 20;
const MICROS_PER_SECOND = 1_000_000;
/** Fields of /proc/<pid>/stat behind the command's name, which may hold anything: utime and stime in clock ticks. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

export interface RedisUsage {
  readonly cpuMicros: number;
  /** Command → calls so far, those made inside of scripts too. */
  readonly calls: ReadonlyMap<string, number>;
}

/** A redis-server under measurement, as an operator would have it: append-only file, synced every second. */
export class MeasuredRedis {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #client: Redis;
  readonly #ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

  /** `directory`: where it keeps its file. */
  static async start(directory: string): Promise<MeasuredRedis> {
    const port = await freePort();
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    const kept = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'];
    const [command, args] = roaming('redis-server', [...settings, ...kept]);
    const child = spawn(command, args, { stdio: 'ignore' });
    const redis = new MeasuredRedis(child, port);
    await within(START_DEADLINE_MS, 'redis-server to answer', redis.#client.ping());
    return redis;
  }

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.url = `redis://127.0.0.1:${port}`;
    this.#client = new Redis(this.url, { retryStrategy: () => RETRY_MS, maxRetriesPerRequest: null });
    this.#client.on('error', () => {});
  }

  async usage(): Promise<RedisUsage> {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
    const info = await this.#client.info('commandstats');
    const calls = new Map<string, number>();
    for (const [, command = '', count] of info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm))
      calls.set(command, Number(count));
    return { cpuMicros: (ticks / this.#ticksPerSecond) * MICROS_PER_SECOND, calls };
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}
