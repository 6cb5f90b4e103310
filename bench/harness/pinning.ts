import { execFileSync, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The measured server has a core to itself; the load comes from another one. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** Whether processes can be kept on a core here: Linux with taskset and two cores. */
export const canPin: boolean =
  availableParallelism() >= 2 && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;

/** Puts this process, which makes the load, on its core. Whatever it starts later has to be told where to run. */
export function pinLoad(): void {
  if (canPin) execFileSync('taskset', ['-a', '-c', '-p', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
}

/** The command that runs `node …args` on the server's core, as the same process. */
export function pinnedNode(args: readonly string[]): [command: string, args: string[]] {
  return canPin ? ['taskset', ['-c', SERVER_CORE, process.execPath, ...args]] : [process.execPath, [...args]];
}
