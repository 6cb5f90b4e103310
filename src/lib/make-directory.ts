import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { faultCode } from './system-faults';

/** For whoever runs the server, and nobody else on the machine: there are documents in it. */
const PRIVATE = 0o700;

/** Makes a directory and those above it; one that is there stays as it is. Node's own recursive mkdir never ends where nothing can be made, as in /proc. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, PRIVATE);
  } catch (fault) {
    const code = faultCode(fault);
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw fault;
    await makeDirectory(parent);
    // Somebody else may have made it meanwhile.
    await mkdir(path, PRIVATE).catch((again: unknown) => {
      if (faultCode(again) !== 'EEXIST') throw again;
    });
  }
}
