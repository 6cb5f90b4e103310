// The tables of the documentation, made from what the code says.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'dotenv';
import { type SettingName, settingNames, settings, variableOf } from '../config/schema';
import { ERRORS } from '../src/protocol/errors';

/** No setting of limited values takes this. */
const SURELY_WRONG = '\u0000';

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { meaning, httpStatus, action }]) => [
    `\`${code}\``,
    meaning,
    String(httpStatus),
    `\`${action}\``,
  ]);
  return table(['code', 'meaning', 'HTTP status', 'what to do'], rows);
}

export function variableTable(): string {
  const rows = settingNames.map((name) => [
    `\`${variableOf(name)}\``,
    defaultOf(name) === '' ? '' : `\`${defaultOf(name)}\``,
    allowedFor(name),
    settings.shape[name].description ?? '',
  ]);
  return table(['variable', 'default', 'allowed', 'what for'], rows);
}

/** The default as it is written in a `.env` file; empty where there is none. */
export function defaultOf(name: SettingName): string {
  const { def } = settings.shape[name];
  return 'defaultValue' in def ? def.defaultValue : '';
}

/** Where README.md and .env.development under `root` are out of step with the code; each line says what to do. */
export function docFaults(root: string): string[] {
  return [...readmeFaults(root), ...environmentFileFaults(root)];
}

function readmeFaults(root: string): string[] {
  const file = path.join(root, 'README.md');
  const readme = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const faults: string[] = [];
  const tables = [
    { text: errorTable(), source: 'src/protocol/errors.ts' },
    { text: variableTable(), source: 'config/schema.ts' },
  ];
  for (const { text, source } of tables) {
    const missing = text.split('\n').filter((line) => !readme.includes(`${line}\n`));
    if (missing.length > 0) {
      faults.push(
        `README.md lacks these lines of the table made from ${source} (npm run docs:tables prints it whole):`,
        ...missing.map((line) => `  ${line}`),
      );
    } else if (!readme.includes(text)) {
      faults.push(
        `README.md: the table made from ${source} has lines it should not have; npm run docs:tables prints it`,
      );
    }
  }
  return faults;
}

function environmentFileFaults(root: string): string[] {
  const written = parse(readFileSync(path.join(root, '.env.development')));
  const expected = new Map(settingNames.map((name) => [variableOf(name), defaultOf(name)]));
  const faults = Object.keys(written)
    .filter((variable) => !expected.has(variable))
    .map((variable) => `.env.development: ${variable} is no variable of config/schema.ts`);
  for (const [variable, value] of expected) {
    if (written[variable] !== value)
      faults.push(`.env.development: ${variable}=${value} is missing or has another value`);
  }
  return faults;
}

/** What a value must be, from the message a wrong one gets. */
function allowedFor(name: SettingName): string {
  const message = settings.shape[name].safeParse(SURELY_WRONG).error?.issues[0]?.message ?? 'any text';
  return message.replace(/^must (?:be )?/, '').replaceAll('|', '\\|');
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
