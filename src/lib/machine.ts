import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Which machine this is, from one start of it to the next: the same in all its containers, whatever those are called. Its name where the
 * system tells no more.
 */
export function thisMachine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
