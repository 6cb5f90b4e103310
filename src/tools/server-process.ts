import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program in a process of its own. */
export interface LaunchedProcess {
  readonly pid: number;
  /** What it has written to stdout and stderr, newest last. */
  readonly lines: readonly string[];
  /** Resolves when the process is gone and everything it wrote is in `lines`. */
  readonly ended: Promise<Ended>;
  /** Resolves with the match of the first line that fits; rejects when the process ends without one. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** A server in a process of its own, which listens. */
export interface ServerProcess extends LaunchedProcess {
  readonly url: string;
}

interface LaunchOptions {
  /** All it gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** It leads a process group of its own, and signals go to all of it, as a terminal sends them. */
  readonly isGroup?: boolean;
}

/** Enough to see why a server did not start or stop. */
const MAX_LINES = 2_000;
const MAIN = join(__dirname, '../main.js');

export async function launch({ command, cwd, env, isGroup = false }: LaunchOptions): Promise<LaunchedProcess> {
  const [program = process.execPath, ...args] = command;
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: isGroup });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > MAX_LINES) lines.shift();
      for (const listener of listeners) listener(line);
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    // Behind `exit`: by then all it wrote is read.
    child.once('close', (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }));
  });
  // Rejects when there is no such program.
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} has no process id.`);
  const send = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(isGroup ? -pid : pid, signal);
  };
  return {
    pid,
    lines,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (line: string): void => {
          const found = pattern.exec(line);
          if (!found) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        for (const line of lines) look(line);
        void ended.then(({ code, signal }) => {
          reject(new Error(`The process ended with ${code ?? signal} without ${pattern}:\n${lines.join('\n')}`));
        });
      }),
    signal: send,
    end(signal) {
      send(signal);
      return ended;
    },
  };
}

/** Starts the built server and resolves when it listens. `env` is all it gets. */
export async function startServerProcess(options: Omit<LaunchOptions, 'command'>): Promise<ServerProcess> {
  return listening(await launch({ ...options, command: [process.execPath, MAIN] }));
}

/** A launched server once it has said where it listens. */
export async function listening(launched: LaunchedProcess): Promise<ServerProcess> {
  const [, url = ''] = await launched.line(/Flow Backend listens on (http:\/\/[^\s"]+)/);
  return { ...launched, url };
}
