import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from './redis-faults';
import type { MixtureOutcome } from './redis-mixture';
import { commit, machine } from './schedule/report';

/** Where reports are wanted: every run leaves its outcome there, and all together are written anew as redis-mixtures.md. */
const DIRECTORY = process.env['REDIS_MIXTURES_REPORT'];

interface Kept extends MixtureOutcome {
  readonly commit: string;
  readonly machine: string;
}

export function keepOutcome(outcome: MixtureOutcome): void {
  if (DIRECTORY === undefined) return;
  mkdirSync(DIRECTORY, { recursive: true });
  const kept: Kept = { ...outcome, commit: commit(), machine: machine() };
  const name = `redis-mixture-${String(outcome.mixture.seed).padStart(4, '0')}.json`;
  writeFileSync(join(DIRECTORY, name), JSON.stringify(kept));
  const all = readdirSync(DIRECTORY)
    .filter((file) => /^redis-mixture-\d+\.json$/.test(file))
    .sort()
    .map((file): Kept => JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8')));
  writeFileSync(join(DIRECTORY, 'redis-mixtures.md'), linesOf(all).join('\n'));
}

function linesOf(all: readonly Kept[]): string[] {
  const distinct = (texts: readonly string[]): string => [...new Set(texts)].join('; ');
  const total = (name: string): number =>
    all.reduce((sum, { counts }) => sum + (Object.entries(counts).find(([fault]) => fault === name)?.[1] ?? 0), 0);
  const runs = (name: string): number => all.filter(({ counts }) => Object.hasOwn(counts, name)).length;
  return [
    '# Mixtures of faults on Redis',
    '',
    'Each seed is one replay: two authors and a reader on two or three instances, one document, and the faults below in an order and at moments',
    'that the seed decides; those in italics happen at the same time as the others. It ends equal when all three hold the same text and every',
    'instance has every edit exactly once, in the order of its author. Written by `REDIS_MIXTURES_REPORT=<directory> npm run test:long -- redis-mixtures`.',
    '',
    `- Commit: ${distinct(all.map(({ commit: of }) => of))}`,
    `- Machine: ${distinct(all.map(({ machine: of }) => of))}`,
    `- Mixtures: ${all.length}`,
    `- Edits: ${all.reduce((sum, { edits }) => sum + edits, 0)}`,
    `- **Not equal: ${all.filter(({ problems }) => problems.length > 0).length}**`,
    '',
    '| seed | Redis | instances | faults | opened again | epochs | edit to saved, p50 / p99 ms | seconds | ends |',
    '| ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |',
    ...all.map(
      ({
        mixture: { seed, kind, instances, foreground, background },
        problems,
        reopenings,
        epochs,
        savedLagMs,
        seconds,
      }) =>
        `| ${seed} | ${kind} | ${instances} | ${[...foreground, ...background.map((name) => `*${name}*`)].join('; ')} | ${reopenings} | ${epochs} | ` +
        `${Math.round(savedLagMs.p50)} / ${Math.round(savedLagMs.p99)} | ${Math.round(seconds)} | ${problems.length === 0 ? 'equal' : problems[0]} |`,
    ),
    '',
    '| fault | in mixtures | happened |',
    '| --- | ---: | ---: |',
    ...Object.keys(FAULTS).map((name) => `| ${name} | ${runs(name)} | ${total(name)} |`),
    '',
  ];
}
