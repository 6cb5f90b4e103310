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
import { type SettingName, type Settings, secretSettings, settingNames, settings, variableOf } from './schema';

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
const SHOWN_VALUE_CHARS = 60;

/** Everything that is wrong with the environment; each fault begins with the variable's name. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration is at fault:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads the configuration, or throws one ConfigError with every fault there is. */
export function loadConfig(env: Environment): Config {
  const texts = textsOf(env);
  const issues = settings.safeParse(texts).error?.issues ?? [];
  const faulty = new Set(issues.map(({ path }) => String(path[0])));
  // What is at fault counts as unset from here on, so that the rest is still judged as a whole.
  const read = settings.parse(Object.fromEntries(Object.entries(texts).filter(([name]) => !faulty.has(name))));
  const faults = [
    ...issues.map(({ path, message }) => faultOf(env, String(path[0]), message)),
    ...contradictions
      .filter(({ between, holds }) => !between.some((name) => faulty.has(name)) && holds(read))
      .map(({ between, message }) => `${variableOf(between[0])}: ${message}`),
    ...unknownFlags(env),
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

function faultOf(env: Environment, name: string, message: string): string {
  const variable = variableOf(name);
  if (secretSettings.has(name)) return `${variable}: ${message}`;
  return `${variable}: ${message}; it is ${JSON.stringify(env[variable]?.slice(0, SHOWN_VALUE_CHARS))}`;
}

function makeInstanceId(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9._~-]/g, '-')
      .slice(0, 64) || 'host';
  return `${host}-${process.pid}-${randomBytes(3).toString('hex')}`;
}
