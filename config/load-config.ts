import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import {
  forEachService,
  SERVICES,
  serviceNames,
  type Backend,
  type ServiceSetting,
  type ServiceName,
} from '../src/protocol/services';
import { contradictions } from './contradictions';
import { redisSettingsOf, type RedisSettings } from './redis-settings';
import {
  type SettingName,
  type Settings,
  secretSettings,
  settingNames,
  settingOf,
  settings,
  variableOf,
} from './schema';

/** The variables a configuration is read from: `process.env`, or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Read into `redis`. */
type RedisSetting = Extract<SettingName, `redis${string}`>;

export type Config = Readonly<Omit<Settings, ServiceSetting | RedisSetting | 'instanceId' | 'allowOpenAuth'>> & {
  readonly instanceId: string;
  readonly redis: RedisSettings;
  /** What each service runs on … */
  readonly backends: Readonly<Record<ServiceName, Backend>>;
  /** … and what its flag asks for: another one only where Redis could not be reached at start. */
  readonly configured: Readonly<Record<ServiceName, Backend>>;
};

/** Exit code of a process whose configuration is at fault (EX_CONFIG of sysexits.h): starting it again won't help. */
export const CONFIG_FAULT_EXIT_CODE = 78;

const REDIS_FLAG_PREFIX = 'USE_REDIS_';
/** Enough of a wrong value to recognise it. */
export const SHOWN_VALUE_CHARS = 60;
/** Names of variables in a message. */
const VARIABLE = /\b[A-Z]+(?:_[A-Z]+)+\b/g;

/** Everything that is wrong with the settings; each fault begins with the name of one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration is at fault:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Settings as somebody gave them. */
export interface GivenSettings {
  /** As environment variables have them. */
  readonly texts: Partial<Readonly<Record<SettingName, string>>>;
  /** What a setting is called there. */
  readonly nameOf: (name: SettingName) => string;
  /** What was given, for people. */
  readonly shown: (name: SettingName) => string;
  /** What is wrong with a value that is allowed as a text. */
  readonly faultOfKind?: (name: SettingName, read: unknown) => string | undefined;
  /** Faults of what is given and no setting. */
  readonly strangers: readonly string[];
}

/** Reads the configuration, or throws one ConfigError with every fault there is. */
export function loadConfig(env: Environment): Config {
  return judge({
    texts: textsOf(env),
    nameOf: variableOf,
    shown: (name) => JSON.stringify(env[variableOf(name)]?.slice(0, SHOWN_VALUE_CHARS)),
    strangers: unknownFlags(env),
  });
}

/** The one judge of all settings, wherever they come from. */
export function judge(given: GivenSettings): Config {
  const { texts, nameOf } = given;
  const faulty = faultyOf(given);
  // What is at fault counts as unset from here on, so that the rest is still judged as a whole.
  const sound = settingNames.filter((name) => texts[name] !== undefined && !faulty.has(name));
  const read = settings.parse(Object.fromEntries(sound.map((name) => [name, texts[name]])));
  const faults = [
    ...[...faulty].map(([name, message]) => {
      const what = `${nameOf(name)}: ${message}`;
      return secretSettings.has(name) ? what : `${what}; it is ${given.shown(name)}`;
    }),
    ...contradictions
      .filter(({ between, holds }) => !between.some((name) => faulty.has(name)) && holds(read))
      .map(({ between, message }) => `${nameOf(between[0])}: ${inWordsOf(given, message)}`),
    ...given.strangers,
  ];
  if (faults.length > 0) throw new ConfigError(faults);

  const { allowOpenAuth, ...rest } = withoutFlags(read);
  const configured = forEachService((name): Backend => (read[SERVICES[name].setting] ? 'redis' : 'memory'));
  return {
    ...rest,
    instanceId: read.instanceId ?? makeInstanceId(),
    redis: redisSettingsOf(read),
    backends: configured,
    configured,
  };
}

/** A message that names variables, with the names they have there. */
function inWordsOf({ nameOf }: GivenSettings, message: string): string {
  return message.replace(VARIABLE, (variable) => {
    const name = settingOf(variable);
    return name ? nameOf(name) : variable;
  });
}

/** What is wrong with single settings. */
function faultyOf({ texts, faultOfKind }: GivenSettings): ReadonlyMap<SettingName, string> {
  const faulty = new Map<SettingName, string>();
  for (const name of settingNames) {
    if (texts[name] === undefined) continue;
    const { data, error } = settings.shape[name].safeParse(texts[name]);
    const message = error ? error.issues[0]?.message : faultOfKind?.(name, data);
    if (message !== undefined) faulty.set(name, message);
  }
  return faulty;
}

/** What a flag means is in `backends`. */
function withoutFlags(read: Settings): Omit<Settings, ServiceSetting> {
  const rest: Partial<Settings> & Omit<Settings, ServiceSetting> = { ...read };
  for (const name of serviceNames) delete rest[SERVICES[name].setting];
  return rest;
}

/** An empty variable is an unset one, as people leave them in `.env` files; a flag has to be spelled out. */
function textsOf(env: Environment): Partial<Record<SettingName, string>> {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const variable = variableOf(name);
    const text = env[variable];
    if (text !== undefined && (text !== '' || variable.startsWith(REDIS_FLAG_PREFIX))) texts[name] = text;
  }
  return texts;
}

function unknownFlags(env: Environment): string[] {
  const known = settingNames.map(variableOf).filter((name) => name.startsWith(REDIS_FLAG_PREFIX));
  return Object.keys(env)
    .filter((name) => name.startsWith(REDIS_FLAG_PREFIX) && !known.includes(name))
    .map((name) => `${name}: there is no such flag; there are ${known.join(', ')}`);
}

function makeInstanceId(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9._~-]/g, '-')
      .slice(0, 64) || 'host';
  return `${host}-${process.pid}-${randomBytes(3).toString('hex')}`;
}
