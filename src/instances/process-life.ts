import { readFileSync, readlinkSync } from 'node:fs';
import { thisMachine } from '../lib/machine';

/** One process, and no other one before or after it. */
export interface ProcessIdentity {
  /** Where its pid means this process and nothing else: a machine and, on it, a container. */
  readonly space: string;
  readonly pid: number;
  /** When it began, as the system counts; empty where that cannot be read. It tells a process from the next one under its pid. */
  readonly birth: string;
}

export function thisProcess(): ProcessIdentity {
  const { pid } = process;
  return { space: `${thisMachine()} ${pidNamespace()}`.trim(), pid, birth: statOf(pid)?.birth ?? '' };
}

/** Whether a process has certainly ended. Of one in another space nobody here can know. */
export function isProcessGone({ space, pid, birth }: ProcessIdentity): boolean {
  if (space !== thisProcess().space) return false;
  if (!isProcessThere(pid)) return true;
  const stat = statOf(pid);
  if (!stat) return false;
  return stat.isOver || (birth !== '' && stat.birth !== birth);
}

/** Also where the process is another user's. */
export function isProcessThere(pid: number): boolean {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- signal 0 ends nothing: it asks whether there is such a process
    return process.kill(pid, 0);
  } catch (fault) {
    return fault instanceof Error && Reflect.get(fault, 'code') === 'EPERM';
  }
}

/** Linux: containers with a name in common may have pids in common, too, but not this. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Fields of /proc/<pid>/stat, counted from the state, which follows the name in brackets (proc(5)). */
const STATE = 0;
const START_TIME = 19;

/** Null: there is nothing to read, or it is of another namespace's processes. */
function statOf(pid: number): { isOver: boolean; birth: string } | null {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return null;
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not asked yet.
    return { isOver: fields[STATE] === 'Z' || fields[STATE] === 'X', birth: fields[START_TIME] ?? '' };
  } catch {
    return null;
  }
}
