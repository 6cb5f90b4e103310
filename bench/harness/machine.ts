import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import path from 'node:path';
import { scratchDirectory } from './paths';
import { percentile } from './statistics';

const SYNC_SAMPLES = 30;

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
  /** Median time of one 4 KiB write and fsync where the documents of the benchmarks are kept. */
  readonly syncMs: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    commit: commit(),
    syncMs: measureSync(),
  };
}

/** With `+` when the working tree has changes of its own. */
function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return 'none';
  }
}

function measureSync(): number {
  const file = path.join(scratchDirectory(), `sync-${process.pid}`);
  const descriptor = openSync(file, 'w');
  const page = Buffer.alloc(4_096, 1);
  const samples = new Float64Array(SYNC_SAMPLES);
  for (let index = 0; index < SYNC_SAMPLES; index += 1) {
    const startedAt = performance.now();
    writeSync(descriptor, page);
    fsyncSync(descriptor);
    samples[index] = performance.now() - startedAt;
  }
  closeSync(descriptor);
  rmSync(file);
  return percentile(samples, 0.5);
}
