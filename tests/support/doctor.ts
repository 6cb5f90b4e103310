import { join } from 'node:path';
import { ROOT, type Processes, type Variables } from './server-process';

/** What `npm run doctor` runs, once it is built. */
export const DOCTOR = join(ROOT, 'dist/src/doctor.js');

export interface Examination {
  readonly code: number | null;
  readonly lines: readonly string[];
  /** Lines that begin with this status. */
  of(status: 'ok' | 'warn' | 'FAIL'): readonly string[];
}

/** Runs the doctor to its end. */
export async function examine(
  processes: Processes,
  env: Variables,
  { args = [], cwd }: { args?: readonly string[]; cwd?: string } = {},
): Promise<Examination> {
  const directory = cwd ?? (await processes.directory());
  const { code, output } = await processes.run(DOCTOR, args, {
    env: { DOCUMENT_DIR: join(directory, 'data'), ...env },
    cwd: directory,
  });
  const lines = output.split('\n').filter((line) => line !== '');
  return { code, lines, of: (status) => lines.filter((line) => line.startsWith(`${status} `)) };
}
