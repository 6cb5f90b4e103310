import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { UNLIMITED } from '../../config/unlimited';
import { errorReply } from '../../src/http/schemas';
import {
  launch,
  listening,
  type Ended,
  type LaunchedProcess,
  type ServerProcess,
} from '../../src/tools/server-process';

export type { Ended, LaunchedProcess, ServerProcess } from '../../src/tools/server-process';

export const ROOT = join(__dirname, '../..');
/** What users run. `npm test` builds it first. */
export const SERVER = join(ROOT, 'dist/src/main.js');
export const REPLAY = join(ROOT, 'dist/src/tools/replay.js');

/** The command of a TypeScript program of this project. */
export const withTsx = (script: string, ...args: string[]): string[] => [
  process.execPath,
  '--import',
  pathToFileURL(require.resolve('tsx')).href,
  join(ROOT, script),
  ...args,
];

/** The command of a server with a fault built in: see broken-server.ts. */
export const brokenServer = (fault: string): string[] => withTsx('tests/support/broken-server.ts', fault);

/** Programs like strace and bash are found through it. */
const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } = process.env;

export type Variables = Readonly<Record<string, string>>;

export interface ServerOptions {
  /** Where documents are kept. */
  readonly documents: string;
  /** A free one unless told. */
  readonly port?: number;
  readonly env?: Variables;
  /** Unless this is so there are no limits per caller: programs do here what no person does. */
  readonly isLimited?: boolean;
  /** Another program than the built server, or one around it. */
  readonly command?: readonly string[];
}

/** Processes and directories of one test file; `clean` ends and removes what is left of them. */
export class Processes {
  readonly #processes: LaunchedProcess[] = [];
  readonly #directories: string[] = [];
  readonly #cleanups: Array<() => Promise<void>> = [];

  /** For what runs beside others of its file. */
  static async during<Answer>(run: (processes: Processes) => Promise<Answer>): Promise<Answer> {
    const processes = new Processes();
    try {
      return await run(processes);
    } finally {
      await processes.clean();
    }
  }

  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'flow-process-'));
    this.#directories.push(directory);
    return directory;
  }

  /** Runs a program of this project's to its end. */
  async run(
    script: string,
    args: readonly string[],
    options: { env?: Variables; cwd?: string } = {},
  ): Promise<Ended & { output: string }> {
    const launched = await this.launch([process.execPath, script, ...args], options);
    const ended = await launched.ended;
    return { ...ended, output: launched.lines.join('\n') };
  }

  async launch(
    command: readonly string[],
    { env = {}, cwd, isGroup = false }: { env?: Variables; cwd?: string; isGroup?: boolean } = {},
  ): Promise<LaunchedProcess> {
    const launched = await launch({ command, env: { PATH, ...env }, cwd: cwd ?? (await this.directory()), isGroup });
    this.#processes.push(launched);
    return launched;
  }

  /** A server on this machine only; resolves when it listens. */
  async startServer(options: ServerOptions): Promise<ServerProcess> {
    const { documents, port = 0, env = {}, isLimited = false, command } = options;
    const launched = await this.launch(command ?? [process.execPath, SERVER], {
      env: {
        HOST: '127.0.0.1',
        PORT: String(port),
        DOCUMENT_DIR: documents,
        ...(isLimited ? {} : UNLIMITED),
        ...env,
      },
    });
    return listening(launched);
  }

  /** Runs when the processes have ended and the directories are still there. */
  onClean(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async clean(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((launched) => launched.end('SIGKILL')));
    for (const cleanup of this.#cleanups.splice(0)) await cleanup();
    for (const directory of this.#directories.splice(0)) await rm(directory, { recursive: true, force: true });
  }
}

/** Below the range from which systems take ports for outgoing connections: nobody takes it while its server is down. */
const RESTART_PORTS = { from: 20_000, to: 32_000 };

/** A port for a server that is restarted on it. */
export async function portToComeBackTo(): Promise<number> {
  for (;;) {
    const port = RESTART_PORTS.from + Math.floor(Math.random() * (RESTART_PORTS.to - RESTART_PORTS.from));
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** GET, read with the schema of the reply; by whom, with AUTH_MODE=open, is a name. */
export async function ask<S extends z.ZodType>(
  url: string,
  schema: S,
  user?: string,
): Promise<{ status: number; body: z.output<S> }> {
  const response = await fetch(url, user === undefined ? {} : { headers: { authorization: `Bearer ${user}` } });
  return { status: response.status, body: schema.parse(await response.json()) };
}

/** POST of JSON; the error is there when it was refused. */
export async function post(
  url: string,
  body: object,
): Promise<{ status: number; error: z.output<typeof errorReply>['error'] | null }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const refused = errorReply.safeParse(await response.json());
  return { status: response.status, error: refused.data?.error ?? null };
}

/** Process ids of a process's children. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}
