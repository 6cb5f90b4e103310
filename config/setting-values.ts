import { inspect } from 'node:util';
import { judge, SHOWN_VALUE_CHARS, type Config } from './load-config';
import { settingNames, type SettingName, type Settings } from './schema';

/** Settings as a program gives them, by name: numbers, booleans, texts, and lists of texts. Undefined: the default. */
export type SettingValues = {
  readonly [Name in SettingName]?: ValueOf<Settings[Name]> | undefined;
};
type ValueOf<Setting> = Setting extends readonly unknown[] ? readonly string[] : Setting;

/** Letters that a name must have in common with a setting for us to guess that this one is meant. */
const ALIKE_LETTERS = 4;

/**
 * The configuration of these values and defaults, judged by the same rules as the environment, or one ConfigError with every fault
 * there is. What `process.env` says does not count here.
 */
export function configOf(values: SettingValues): Config {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const value: unknown = values[name];
    if (value !== undefined) texts[name] = textOf(value);
  }
  return judge({
    texts,
    nameOf: (name) => name,
    shown: (name) => inspect(values[name], { depth: 0, maxStringLength: SHOWN_VALUE_CHARS }),
    faultOfKind: (name, read) => {
      const kind = kindOf(read);
      return kind === kindOf(values[name]) ? undefined : `must be ${kind}`;
    },
    strangers: Object.keys(values)
      .filter((name) => !isSettingName(name))
      .map(strangerFault),
  });
}

/** As an environment variable would have it. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(',');
  return typeof value === 'string' ? value : inspect(value);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list of texts';
  switch (typeof value) {
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a text';
    default:
      return 'something else';
  }
}

function strangerFault(name: string): string {
  const lettersOf = (text: string): string => text.replaceAll('_', '').toLowerCase();
  const start = lettersOf(name).slice(0, ALIKE_LETTERS);
  const alike = settingNames.filter((known) => lettersOf(known).startsWith(start));
  const guess = alike.length > 0 ? `there are ${alike.join(', ')}` : 'README.md of Flow Backend lists them';
  return `${name}: there is no such setting; ${guess}`;
}

const isSettingName = (name: string): name is SettingName => settingNames.some((known) => known === name);
