import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Machine } from './machine';
import { DOCS_PAGE, REPORTS } from './paths';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: ReadonlyArray<readonly string[]>;
}

export interface Report {
  /** What the benchmark asks. */
  readonly question: string;
  readonly tables: readonly Table[];
  /** Sentences: aims met or missed, and what was checked on the way. */
  readonly findings: readonly string[];
  readonly notMeasured: readonly string[];
  /** Every single figure, for programs. */
  readonly figures: unknown;
}

export function toMarkdown(name: string, report: Report, machine: Machine): string {
  return [
    `### ${name}`,
    report.question,
    ...report.tables.map(({ title, columns, rows }) => [`**${title}**`, '', ...tableLines(columns, rows)].join('\n')),
    list(report.findings),
    `Not measured: ${report.notMeasured.join('; ')}.`,
    `Machine: ${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}; ` +
      `write and fsync ${machine.syncMs.toFixed(2)} ms. Node ${machine.node}. Commit ${machine.commit}.`,
  ].join('\n\n');
}

/** Leaves the figures where programs find them; answers the path. */
export function writeReport(name: string, report: Report, machine: Machine): string {
  mkdirSync(REPORTS, { recursive: true });
  const at = new Date().toISOString();
  const file = path.join(REPORTS, `${name}-${at.replace(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify({ name, at, machine, ...report }, null, 2)}\n`);
  return file;
}

/** Puts the figures of this run in place of those of an earlier one: all or none, so that no page mixes two machines. */
export function writeFigures(pages: readonly string[]): void {
  const [head, rest] = readFileSync(DOCS_PAGE, 'utf8').split(FIGURES);
  if (rest === undefined) throw new Error(`${DOCS_PAGE} has no "${FIGURES.trim()}"`);
  writeFileSync(DOCS_PAGE, `${head}${FIGURES}\n${pages.join('\n\n')}\n`);
}

const FIGURES = '## Figures\n';

const tableLines = (columns: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] => [
  `| ${columns.join(' | ')} |`,
  `|${columns.map((_, index) => (index === 0 ? ' --- |' : ' ---: |')).join('')}`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
];

const list = (sentences: readonly string[]): string => sentences.map((sentence) => `- ${sentence}`).join('\n');
