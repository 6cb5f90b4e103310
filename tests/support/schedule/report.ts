import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { FAULTS } from './plan';
import type { Outcome } from './run-schedule';
import { INVARIANTS, type Violation } from './trace';

/** One rule switched off, and the schedule that missed it. */
export interface Control extends Violation {
  readonly rule: string;
  readonly instead: string;
  readonly seed: number;
}

/** What came of some seeds. */
interface Portion {
  readonly commit: string;
  readonly machine: string;
  readonly first: number;
  readonly last: number;
  readonly schedules: number;
  readonly operations: number;
  readonly violations: number;
  readonly seconds: number;
  readonly slowestConvergenceMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Where reports are wanted: every run leaves its figures there, and all together are written anew as schedules.md. */
const DIRECTORY = process.env['SCHEDULES_REPORT'];
const CONTROLS_FILE = 'controls.json';

export function writeSeeds(outcomes: readonly Outcome[]): void {
  if (DIRECTORY === undefined || outcomes.length === 0) return;
  const seeds = outcomes.map(({ plan }) => plan.seed);
  const counts: Record<string, number> = {};
  for (const { trace } of outcomes) {
    for (const [what, count] of Object.entries(trace.counts)) counts[what] = (counts[what] ?? 0) + count;
  }
  const portion: Portion = {
    commit: commit(),
    machine: machine(),
    first: Math.min(...seeds),
    last: Math.max(...seeds),
    schedules: outcomes.length,
    operations: sum(outcomes.map(({ operations }) => operations)),
    violations: sum(outcomes.map(({ trace }) => trace.violations.length)),
    seconds: Math.round(performance.now() / 1_000),
    slowestConvergenceMs: Math.round(Math.max(...outcomes.map(({ convergedMs }) => convergedMs ?? Number.NaN))),
    counts,
  };
  keep(DIRECTORY, `seeds-${String(portion.first).padStart(5, '0')}.json`, portion);
}

export function writeControls(controls: readonly Control[]): void {
  if (DIRECTORY !== undefined) keep(DIRECTORY, CONTROLS_FILE, controls);
}

function keep(directory: string, name: string, part: Portion | readonly Control[]): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), JSON.stringify(part));
  const files = readdirSync(directory);
  const read = (file: string): unknown => JSON.parse(readFileSync(join(directory, file), 'utf8'));
  const portions = files
    .filter((file) => file.startsWith('seeds-'))
    .sort()
    .map((file) => read(file) as Portion);
  const controls = files.includes(CONTROLS_FILE) ? (read(CONTROLS_FILE) as readonly Control[]) : [];
  writeFileSync(join(directory, 'schedules.md'), [...seedLines(portions), ...controlLines(controls)].join('\n'));
}

function seedLines(portions: readonly Portion[]): string[] {
  if (portions.length === 0) return [];
  const total = (name: string): number => sum(portions.map(({ counts }) => counts[name] ?? 0));
  const kinds = new Set<string>([...FAULTS.shared, ...FAULTS.process]);
  const others = [...new Set(portions.flatMap(({ counts }) => Object.keys(counts)))].filter((name) => !kinds.has(name));
  const spans = portions.map(({ first, last, seconds }) => `${first}–${last} (${seconds} s)`).join(', ');
  const row = (name: string): string => `| ${name} | ${total(name)} |`;
  return [
    '## Seeds',
    '',
    `- Commit: ${[...new Set(portions.map((portion) => portion.commit))].join(', ')}`,
    `- Machine: ${[...new Set(portions.map((portion) => portion.machine))].join(', ')}`,
    `- Seeds: ${spans}`,
    `- Schedules: ${sum(portions.map(({ schedules }) => schedules))}`,
    `- Operations: ${sum(portions.map(({ operations }) => operations))}`,
    `- **Violations: ${sum(portions.map(({ violations }) => violations))}**`,
    `- Longest time from the last fault until everybody had everything: ${Math.max(...portions.map((portion) => portion.slowestConvergenceMs))} ms`,
    '',
    '| fault | happened |',
    '| --- | ---: |',
    ...[...kinds].map(row),
    '',
    '| what came of it | times |',
    '| --- | ---: |',
    ...others.sort().map(row),
    '',
  ];
}

function controlLines(controls: readonly Control[]): string[] {
  if (controls.length === 0) return [];
  const sorted = [...controls].sort((a, b) => a.rule.localeCompare(b.rule, 'en', { numeric: true }));
  return [
    '## Negative controls',
    '',
    '| rule | what is done instead | invariant named | by seed |',
    '| --- | --- | --- | ---: |',
    ...sorted.map(({ rule, instead, invariant, seed }) => `| ${rule} | ${instead} | \`${invariant}\` | ${seed} |`),
    '',
    '| invariant | what it says |',
    '| --- | --- |',
    ...Object.entries(INVARIANTS).map(([name, says]) => `| \`${name}\` | ${says} |`),
    '',
  ];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

export const machine = (): string => `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;

export function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'}`;
}
