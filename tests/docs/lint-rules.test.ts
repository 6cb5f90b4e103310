import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

const NOTHING = 'no rule';

/** A file, what is in it, and the rule that must report it. */
const CASES: ReadonlyArray<readonly [file: string, source: string, rule: string]> = [
  ['src/http/env.ts', 'export const port = process.env.PORT;', 'no-restricted-properties'],
  ['src/lib/env.ts', 'export const port = process.env.PORT;', 'no-restricted-properties'],
  ['src/main.ts', 'export const port = process.env.PORT;', 'no-restricted-properties'],
  ['src/http/env-taken-apart.ts', 'export const { env } = process;', 'no-restricted-properties'],
  [
    'src/http/env-import.ts',
    "export const port = async () => (await import('x')).y;\nimport { env } from 'node:process';\nexport const e = env;",
    'no-restricted-imports',
  ],
  ['config/env.ts', 'export const port = process.env.PORT;', NOTHING],
  ['src/live/exit.ts', 'export const stop = () => process.exit(1);', 'no-restricted-properties'],
  ['src/live/signal.ts', "process.on('SIGTERM', () => undefined);\nexport const x = 1;", 'no-restricted-properties'],
  ['src/tools/exit.ts', 'export const stop = () => process.exit(1);', NOTHING],
  ['src/live/now.ts', 'export const now = Date.now();', 'no-restricted-properties'],
  ['src/live/timeout.ts', 'export const timer = setTimeout(() => undefined, 10);', 'no-restricted-globals'],
  ['src/live/interval.ts', 'export const timer = setInterval(() => undefined, 10);', 'no-restricted-globals'],
  [
    'src/live/pause.ts',
    "import { setTimeout } from 'node:timers/promises';\nexport const wait = async () => setTimeout(10);",
    'no-restricted-imports',
  ],
  ['src/lib/now.ts', 'export const now = Date.now();\nexport const timer = setTimeout(() => undefined, 10);', NOTHING],
  [
    'src/client/now.ts',
    'export const now = Date.now();\nexport const timer = setTimeout(() => undefined, 10);',
    NOTHING,
  ],
  [
    'src/live/floating.ts',
    'const save = async () => 1;\nexport const run = () => {\n  save();\n};',
    'no-floating-promises',
  ],
  ['src/live/any.ts', 'export const x = (value: any) => String(value);', 'no-explicit-any'],
  ['src/live/unsafe.ts', "export const x: { y: number } = JSON.parse('{}');", 'no-unsafe-assignment'],
  ['src/live/ignored.ts', "// @ts-ignore\nexport const x: number = 'one';", 'ban-ts-comment'],
  ['src/live/sure.ts', 'export const x = (value: string | null) => value!.length;', 'no-non-null-assertion'],
  ['src/live/rejects.ts', "export const x = () => Promise.reject('no error');", 'prefer-promise-reject-errors'],
  [
    'src/live/states.ts',
    "export function x(state: 'open' | 'shut') {\n  switch (state) {\n    case 'open':\n      return 1;\n  }\n  return 2;\n}",
    'switch-exhaustiveness-check',
  ],
  ['src/live/one.ts', "import { two } from './two';\nexport const one = () => two;", 'no-cycle'],
  ['src/live/two.ts', "import { one } from './one';\nexport const two = () => one;", 'no-cycle'],
  ['src/live/talks.ts', "console.log('here');\nexport const x = 1;", 'no-console'],
  ['tests/unit/skipped.test.ts', "test.skip('a', () => {\n  expect(1).toBe(1);\n});", 'no-disabled-tests'],
  ['tests/unit/only.test.ts', "test.only('a', () => {\n  expect(1).toBe(1);\n});", 'no-focused-tests'],
  [
    'tests/unit/again.test.ts',
    "jest.retryTimes(3);\ntest('a', () => {\n  expect(1).toBe(1);\n});",
    'no-restricted-jest-methods',
  ],
  [
    'tests/unit/sleeps.test.ts',
    "import { setTimeout } from 'node:timers/promises';\ntest('a', async () => {\n  await setTimeout(10);\n});",
    'no-restricted-imports',
  ],
];

interface Diagnostic {
  readonly filename: string;
  readonly code: string;
}

/** Lints all cases in one run, in a place of their own with the project's configuration. */
async function lint(): Promise<readonly Diagnostic[]> {
  const root = mkdtempSync(path.join(tmpdir(), 'flow-lint-'));
  try {
    mkdirSync(path.join(root, 'src/tools'), { recursive: true });
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'src/tools/tsconfig.json'])
      copyFileSync(path.join(ROOT, file), path.join(root, file));
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
    for (const [file, source] of CASES) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), `${source}\n`);
    }
    const output = await new Promise<string>((resolve) => {
      const oxlint = path.join(ROOT, 'node_modules/.bin/oxlint');
      execFile(oxlint, ['--format', 'json', 'config', 'src', 'tests'], { cwd: root }, (_fault, stdout) =>
        resolve(stdout),
      );
    });
    return (JSON.parse(output) as { diagnostics: Diagnostic[] }).diagnostics;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

let found: readonly Diagnostic[];

beforeAll(async () => {
  found = await lint();
});

test.each(CASES.map(([file, , rule]) => [file, rule] as const))('%s is reported by %s', (file, rule) => {
  const reported = found
    .filter(({ filename }) => filename.endsWith(file))
    .map(({ code }) => code.replace(/^.*\((.*)\)$/, '$1'));
  expect(reported.length > 0 ? reported : [NOTHING]).toContain(rule);
});
