import { mkdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.join(__dirname, '../..');
export const BENCH = path.join(ROOT, 'bench');
/** Where figures are kept for readers. */
export const DOCS_PAGE = path.join(ROOT, 'docs/benchmarks.md');
/** Ignored by git. On the disk of the checkout, which is a real one more often than the system's temporary directory. */
export const REPORTS = path.join(BENCH, 'reports');
export const FLOW_ENTRY = path.join(ROOT, 'dist/src/main.js');

/** This run's own, removed when it ends: runs do not get into each other's way. */
export function scratchDirectory(): string {
  const directory = path.join(REPORTS, `scratch-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  return directory;
}
