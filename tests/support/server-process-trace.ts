import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A finished system call of one thread. */
export interface SystemCall {
  /** Line of the trace where it began, and where it was finished; the same unless other threads came in between. */
  readonly began: number;
  readonly finished: number;
  readonly name: string;
  readonly text: string;
  /** What it returned; -1 is a failure. */
  readonly result: number;
}

/** Installs strace where it is missing and may be, as nothing else shows what a process asks of the kernel. */
export async function ensureStrace(): Promise<void> {
  const run = promisify(execFile);
  const isThere = (): Promise<boolean> =>
    run('strace', ['-V']).then(
      () => true,
      () => false,
    );
  if (await isThere()) return;
  if (process.getuid?.() === 0) {
    await run('apt-get', ['update']);
    await run('apt-get', ['install', '--yes', '--no-install-recommends', 'strace']);
    if (await isThere()) return;
  }
  throw new Error('strace is missing, and this test cannot install it: apt-get install strace');
}

/**
 * `strace` around a command. It traces from the side (-D), so that the command keeps the process id, the signals and the exit code;
 * -y names files, -s is long enough for a page of the store with every byte escaped by the reader, not by us.
 */
export const traced = (command: readonly string[], output: string): string[] => [
  'strace',
  '-D',
  '-f',
  '-y',
  '-s',
  '65536',
  '-e',
  `trace=${TRACED.join(',')}`,
  '-o',
  output,
  ...command,
];

const TRACED = [
  'openat',
  'fsync',
  'fdatasync',
  'msync',
  'sync_file_range',
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'sendto',
  'sendmsg',
];

/** `123 name(arguments) = result …`; the arguments may hold anything but a line break. */
const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)/;
/** A call during which another thread's came in between. */
const BEGINNING = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const END = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)/;

/** Reads a trace: the calls in the order in which they were finished. */
export function parseTrace(trace: string): SystemCall[] {
  const unfinished = new Map<string, { began: number; text: string }>();
  const calls: SystemCall[] = [];
  trace.split('\n').forEach((line, finished) => {
    const beginning = BEGINNING.exec(line);
    if (beginning) {
      const [, thread = '', , text = ''] = beginning;
      unfinished.set(thread, { began: finished, text });
      return;
    }
    const end = END.exec(line);
    const [, thread = '', name = '', rest = '', result = ''] = end ?? WHOLE.exec(line) ?? [];
    if (name === '') return;
    const { began, text } = (end && unfinished.get(thread)) ?? { began: finished, text: '' };
    calls.push({ began, finished, name, text: text + rest, result: Number(result) });
  });
  return calls;
}
