import { cpus } from 'node:os';

const MICROS_PER_MS = 1_000;

/** Watches what the rest of the machine does while something is measured. */
export class Bystanders {
  readonly #startedAt = performance.now();
  readonly #busyFrom = busyMicros();
  readonly #ownFrom = process.cpuUsage();

  /** Cores that neither this process nor the server, which used so much since, kept busy; the kernel counts in hundredths of a second. */
  coresUsed(serverCpuMicros: number): number {
    const own = process.cpuUsage(this.#ownFrom);
    const others = busyMicros() - this.#busyFrom - own.user - own.system - serverCpuMicros;
    return Math.max(0, others) / MICROS_PER_MS / (performance.now() - this.#startedAt);
  }
}

/** More than this, and costs and latencies are also those of somebody else's cache misses and waiting. */
const QUIET_CORES = 0.1;

/** A finding: whether the figures may be believed. */
export function quietness(otherCores: readonly number[]): string {
  const most = Math.max(...otherCores);
  const used = `other processes used at most ${most.toFixed(2)} of a core while a system was measured`;
  return most < QUIET_CORES ? `Quiet: ${used}.` : `NOT QUIET: ${used}; these figures are not to be quoted.`;
}

function busyMicros(): number {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return busyMs * MICROS_PER_MS;
}
