import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The measured server has a core to itself; the load comes from another one. Undefined where that cannot be had. */
const cores = twoCores();

export const isPinned: boolean = cores !== undefined;

/** Puts this process, which makes the load, on its core. What it starts is told where to run by `pinnedNode`. */
export function pinLoad(): void {
  if (cores) execFileSync('taskset', ['-a', '-c', '-p', cores.load, String(process.pid)], { stdio: 'ignore' });
}

/** The command that runs `node …args` on the server's core, as the process that is started and no child of it. */
export function pinnedNode(args: readonly string[]): [command: string, args: string[]] {
  return cores ? ['taskset', ['-c', cores.server, process.execPath, ...args]] : [process.execPath, [...args]];
}

/** The command on all cores; what a pinned process starts would be on its core alone. */
export function roaming(command: string, args: readonly string[]): [command: string, args: string[]] {
  return cores ? ['taskset', ['-c', `${cores.server},${cores.load}`, command, ...args]] : [command, [...args]];
}

/** Of the cores this process may use, the first two; undefined without Linux, taskset or a second core. */
function twoCores(): { readonly server: string; readonly load: string } | undefined {
  if (process.platform !== 'linux' || spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status !== 0) return;
  // Such as `0-3,8`.
  const allowed = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const [server, load] = allowed.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return first === last ? [first] : [first, first + 1];
  });
  return server === undefined || load === undefined ? undefined : { server: String(server), load: String(load) };
}
