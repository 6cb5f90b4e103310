import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** What it has logged, newest last. */
  readonly lines: readonly string[];
  /** Sends a signal and resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Enough to see why a server did not start or stop. */
const MAX_LINES = 2_000;

/**
 * Starts the built server and resolves when it listens. `env` is all it gets besides PATH; `command` runs another program in its
 * place that announces itself in the same way.
 */
export async function startServerProcess(options: {
  env: Readonly<Record<string, string>>;
  cwd: string;
  command?: readonly string[];
}): Promise<ServerProcess> {
  const [program = process.execPath, ...args] = options.command ?? [process.execPath, join(__dirname, '../main.js')];
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const exited = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > MAX_LINES) lines.shift();
        const found = /Flow Backend listens on (http:\/\/[^\s"]+)/.exec(line);
        if (found?.[1]) resolve(found[1]);
      });
    }
    exited.then(
      ([code]) => reject(new Error(`The server ended with ${String(code)} before it listened:\n${lines.join('\n')}`)),
      reject,
    );
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('The server has no process id.');
  return {
    url,
    pid,
    lines,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await exited;
      }
      return { code: child.exitCode, signal: child.signalCode };
    },
  };
}
