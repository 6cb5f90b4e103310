import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { docFaults, errorTable, variableTable } from '../../scripts/tables';
import { ERRORS } from '../../src/protocol/errors';

const ENVIRONMENT_FILE = path.join(__dirname, '../../.env.development');

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'flow-docs-'));
  copyFileSync(ENVIRONMENT_FILE, path.join(root, '.env.development'));
  writeReadme(`# Flow\n\n${errorTable()}\n\n${variableTable()}\n`);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const writeReadme = (text: string) => writeFileSync(path.join(root, 'README.md'), text);

const writeEnvironment = (change: (text: string) => string) =>
  writeFileSync(path.join(root, '.env.development'), change(readFileSync(ENVIRONMENT_FILE, 'utf8')));

test('what the code says, and nothing else, is in step', () => {
  expect(docFaults(root)).toEqual([]);
});

test('the error table has every code with its status and what to do', () => {
  for (const [code, { httpStatus, action }] of Object.entries(ERRORS)) {
    expect(errorTable()).toMatch(new RegExp(`^\\| \`${code}\` \\| .* \\| ${httpStatus} \\| \`${action}\` \\|$`, 'm'));
  }
});

test('the variable table has a purpose for every variable', () => {
  expect(
    variableTable()
      .split('\n')
      .filter((line) => line.endsWith('|  |')),
  ).toEqual([]);
});

test('a README without the tables lacks all their lines', () => {
  rmSync(path.join(root, 'README.md'));
  expect(docFaults(root).join('\n')).toContain('`STALE_BASE`');
  expect(docFaults(root).join('\n')).toContain('`SAVE_INTERVAL_MS`');
});

test('a changed line is named, and how to get the right one', () => {
  writeReadme(`${errorTable()}\n\n${variableTable().replace('`3001`', '`3000`')}\n`);
  expect(docFaults(root)).toEqual([
    expect.stringContaining('npm run docs:tables'),
    expect.stringMatching(/^ {2}\| `PORT` \| `3001`/),
  ]);
});

test('a line too many is noticed', () => {
  writeReadme(
    `${errorTable().replace('| `FORBIDDEN`', '| `GONE` | x | 410 | `stop` |\n| `FORBIDDEN`')}\n\n${variableTable()}\n`,
  );
  expect(docFaults(root)).toEqual([expect.stringContaining('lines it should not have')]);
});

test('.env.development with a variable too few, too many or of another value is noticed', () => {
  writeEnvironment((text) => text.replace('PORT=3001', 'PORT=3000').replace('HISTORY_DAYS=90', 'HISTORY=90'));
  expect(docFaults(root)).toEqual([
    '.env.development: HISTORY is no variable of config/schema.ts',
    '.env.development: PORT=3001 is missing or has another value',
    '.env.development: HISTORY_DAYS=90 is missing or has another value',
  ]);
});
