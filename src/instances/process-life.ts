/** Whether a process of this machine is there; also one of another user's. */
export function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (fault) {
    return fault instanceof Error && Reflect.get(fault, 'code') === 'EPERM';
  }
}
