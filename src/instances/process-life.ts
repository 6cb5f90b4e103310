/** Whether a process of this machine is there; also one of another user's. */
export function isProcessAlive(pid: number): boolean {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- signal 0 ends nothing: it asks whether there is such a process
    return process.kill(pid, 0);
  } catch (fault) {
    return fault instanceof Error && Reflect.get(fault, 'code') === 'EPERM';
  }
}
