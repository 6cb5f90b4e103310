import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { eventually } from './eventually';
import { type Ended, type Processes, ROOT, type Variables } from './server-process';

const PM2 = join(ROOT, 'node_modules/pm2/bin/pm2');

/** What `pm2 jlist` says of one app, as far as it is looked at. */
const listed = z.looseObject({
  pid: z.int(),
  pm2_env: z.looseObject({
    status: z.string(),
    kill_timeout: z.int(),
    exit_code: z.int().optional(),
    restart_time: z.int(),
  }),
});
export type Listed = z.output<typeof listed>;

/**
 * A pm2 of a test's own, with its own daemon, and a place to run the built server from: `ecosystem.config.js` and `.env` as an operator has
 * them. Everything ends with `Processes.clean`.
 */
export class Pm2 {
  /** Where `.env` is, and the documents. */
  readonly directory: string;
  readonly #processes: Processes;
  readonly #home: string;

  static async install(processes: Processes, env: Variables): Promise<Pm2> {
    const directory = await processes.directory();
    await mkdir(join(directory, 'config'));
    for (const file of ['ecosystem.config.js', 'config/stop-deadline.json', 'package.json']) {
      await copyFile(join(ROOT, file), join(directory, file));
    }
    for (const folder of ['dist', 'node_modules']) await symlink(join(ROOT, folder), join(directory, folder));
    const pm2 = new Pm2(processes, directory);
    await pm2.edit(env);
    processes.onClean(() => pm2.kill());
    return pm2;
  }

  private constructor(processes: Processes, directory: string) {
    this.#processes = processes;
    this.directory = directory;
    this.#home = join(directory, '.pm2');
  }

  get documents(): string {
    return join(this.directory, 'data');
  }

  /** Writes `.env` anew. */
  async edit(env: Variables): Promise<void> {
    const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(this.directory, '.env'), lines.join(''));
  }

  /** `pm2 <args>`, as typed where `.env` is; rejects when pm2 says that it failed. */
  async run(...args: string[]): Promise<readonly string[]> {
    const { code, lines } = await this.#run(args);
    if (code !== 0) throw new Error(`pm2 ${args.join(' ')} ended with ${code}:\n${lines.join('\n')}`);
    return lines;
  }

  /** The app `backend`. */
  async backend(): Promise<Listed> {
    const lines = await this.run('jlist');
    const [app] = z.array(listed).parse(JSON.parse(lines.at(-1) ?? ''));
    if (!app) throw new Error('pm2 has no app');
    return app;
  }

  /** What the server wrote to its standard output and error. */
  async log(): Promise<string> {
    const logs = join(this.#home, 'logs');
    const files = await readdir(logs);
    return (await Promise.all(files.map((file) => readFile(join(logs, file), 'utf8')))).join('');
  }

  /** Ends the daemon and everything it runs; rejects when a process of theirs is left. */
  async kill(): Promise<void> {
    await this.#run(['kill']);
    await eventually('nothing is left of pm2', async () => (await this.alive()).length === 0);
  }

  /** Ids of the daemon's process and of all that it has started. */
  async alive(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const ours = await Promise.all(pids.map((pid) => this.#isOurs(pid)));
    return pids.filter((_, index) => ours[index]);
  }

  async #isOurs(pid: number): Promise<boolean> {
    try {
      return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').includes(`PM2_HOME=${this.#home}`);
    } catch {
      // It is gone, or it is somebody else's.
      return false;
    }
  }

  async #run(args: readonly string[]): Promise<Ended & { lines: readonly string[] }> {
    const launched = await this.#processes.launch([process.execPath, PM2, ...args], {
      cwd: this.directory,
      env: { HOME: this.directory, PM2_HOME: this.#home, PM2_DISABLE_VERSION_CHECK: 'true', NO_COLOR: '1' },
    });
    const ended = await launched.ended;
    return { ...ended, lines: launched.lines };
  }
}
