import { isAbsolute } from 'node:path';
import { ConfigError, type Environment, loadConfig } from '../../config/load-config';
import { settingNames, variableOf } from '../../config/schema';
import { SERVICES, serviceNames } from '../../src/protocol/services';

const SECRET = 'a secret of thirty-two bytes, or more';

function faultsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (fault) {
    if (fault instanceof ConfigError) return fault.faults;
    throw fault;
  }
}

describe('the configuration', () => {
  test('has a default for everything', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      port: 3001,
      host: 'localhost',
      nodeEnv: 'development',
      documentStore: 'lmdb',
      documentDurability: 'fsync',
      saveIntervalMs: 20,
      maxUnsavedBytes: 67_108_864,
      authMode: 'open',
      allowedOrigins: [],
      backends: { websockets: 'memory', collaboration: 'memory', eventOrdering: 'memory', devices: 'memory' },
    });
    expect(isAbsolute(config.documentDir)).toBe(true);
  });

  test('makes another instance id for each process that has none', () => {
    const first = loadConfig({}).instanceId;
    expect(first).toMatch(/^[A-Za-z0-9._~-]{1,128}$/);
    expect(loadConfig({}).instanceId).not.toBe(first);
    expect(loadConfig({ INSTANCE_ID: 'backend-1' }).instanceId).toBe('backend-1');
  });

  test('reads values and drops no digit', () => {
    const config = loadConfig({
      PORT: '0',
      SAVE_INTERVAL_MS: '0',
      DOCUMENT_STORE: 'memory',
      FLOW_SECRET: 'sixteen letters!',
      ALLOWED_ORIGINS: 'https://a.example, http://b.example:8080',
      USE_REDIS_WEBSOCKETS: '0',
    });
    expect(config).toMatchObject({
      port: 0,
      saveIntervalMs: 0,
      documentStore: 'memory',
      flowSecret: 'sixteen letters!',
      allowedOrigins: ['https://a.example', 'http://b.example:8080'],
    });
  });

  test.each(serviceNames)('moves %s to Redis, and nothing else, with the flag of its row', (name) => {
    const { flag, setting } = SERVICES[name];
    expect(variableOf(setting)).toBe(flag);
    const { backends } = loadConfig({ [flag]: 'true' });
    expect(serviceNames.filter((service) => backends[service] === 'redis')).toEqual([name]);
  });

  test('takes an empty variable as unset', () => {
    expect(loadConfig({ PORT: '', FLOW_SECRET: '', INSTANCE_ID: '' })).toMatchObject({ port: 3001 });
    expect(loadConfig({ FLOW_SECRET: '' })).not.toHaveProperty('flowSecret');
  });

  test('carries no flag: what a flag means is in backends', () => {
    expect(Object.keys(loadConfig({})).filter((name) => name.startsWith('useRedis'))).toEqual([]);
  });

  test('reports all faults together, each with its name, what is allowed and what it is', () => {
    expect(
      faultsOf({
        PORT: '65536',
        LOG_LEVEL: 'loud',
        USE_REDIS_WEBSOCKETS: 'ja',
        USE_REDIS_TYPO: 'true',
        NODE_ENV: 'production',
        MAX_BATCH_BYTES: '1000',
      }),
    ).toEqual([
      'PORT: must be a whole number, 0 to 65535; it is "65536"',
      'LOG_LEVEL: must be trace | debug | info | warn | error | fatal | silent; it is "loud"',
      'USE_REDIS_WEBSOCKETS: must be true, false, 1 or 0; it is "ja"',
      expect.stringMatching(/^AUTH_MODE: .*ALLOW_OPEN_AUTH=true/),
      expect.stringMatching(/^MAX_OPERATION_BYTES: .*MAX_BATCH_BYTES/),
      expect.stringMatching(/^USE_REDIS_TYPO: there is no such flag; there are USE_REDIS_WEBSOCKETS, /),
    ]);
  });

  test.each(['yes', 'TRUE', 'True', ' true', 'on', '2', ''])('refuses the flag value %j', (value) => {
    expect(faultsOf({ USE_REDIS_COLLABORATION: value })).toEqual([
      `USE_REDIS_COLLABORATION: must be true, false, 1 or 0; it is ${JSON.stringify(value)}`,
    ]);
  });

  test.each(['false', '0'])('accepts the flag value %j', (value) => {
    expect(loadConfig({ USE_REDIS_EVENT_ORDERING: value }).backends.eventOrdering).toBe('memory');
  });

  test.each(['true', '1'])('moves one service to Redis with the flag value %j', (value) => {
    const backends = { websockets: 'memory', collaboration: 'memory', eventOrdering: 'redis', devices: 'memory' };
    expect(loadConfig({ USE_REDIS_EVENT_ORDERING: value })).toMatchObject({ backends, configured: backends });
  });

  test.each([
    [{}, { kind: 'single', host: 'localhost', port: 6_379 }],
    [
      { REDIS_HOST: 'redis.internal', REDIS_PORT: '6380' },
      { kind: 'single', host: 'redis.internal', port: 6_380 },
    ],
    [
      { REDIS_URL: 'redis://[::1]', REDIS_HOST: 'unused' },
      { kind: 'single', host: '::1', port: 6_379 },
    ],
    [
      { REDIS_CLUSTER_NODES: 'a:7000, [::1]:7001' },
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7_000 },
          { host: '::1', port: 7_001 },
        ],
      },
    ],
    [
      { REDIS_SENTINELS: 'a:26379', REDIS_SENTINEL_NAME: 'main' },
      { kind: 'sentinel', sentinels: [{ host: 'a', port: 26_379 }], name: 'main' },
    ],
  ])('finds Redis by %j', (env, target) => {
    expect(loadConfig(env).redis.target).toEqual(target);
  });

  test('takes user, password, database and TLS from the URL, or else from their variables', () => {
    const url = { REDIS_URL: 'rediss://ada:p%40ss@host:6380/4', REDIS_PASSWORD: 'other', REDIS_DB: '2' };
    expect(loadConfig(url).redis).toMatchObject({ username: 'ada', password: 'p@ss', db: 4, isTls: true });
    const variables = { REDIS_HOST: 'host', REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush', REDIS_DB: '2' };
    expect(loadConfig(variables).redis).toMatchObject({ username: 'ada', password: 'hush', db: 2, isTls: false });
    expect(loadConfig({}).redis).not.toHaveProperty('password');
  });

  test('falls back to memory without Redis, but not in production', () => {
    expect(loadConfig({}).redis.fallback).toBe('memory');
    const production = { NODE_ENV: 'production', ALLOW_OPEN_AUTH: 'true' };
    expect(loadConfig(production).redis.fallback).toBe('exit');
    expect(loadConfig({ ...production, REDIS_FALLBACK: 'memory' }).redis.fallback).toBe('memory');
  });

  test.each<[Record<string, string>, RegExp]>([
    [{ REDIS_URL: 'http://host' }, /^REDIS_URL: must be redis:\/\/ or rediss:\/\/[^;]*$/],
    [{ REDIS_URL: 'redis://:secret@host/x' }, /^REDIS_URL: (?!.*secret)/],
    [{ REDIS_PORT: '0' }, /^REDIS_PORT: must be a whole number, 1 to 65535/],
    [{ REDIS_CLUSTER_NODES: 'a:7000,b' }, /^REDIS_CLUSTER_NODES: must be a comma-separated list of host:port/],
    [{ REDIS_SENTINELS: 'a:1' }, /^REDIS_SENTINELS: needs REDIS_SENTINEL_NAME/],
    [{ REDIS_CLUSTER_NODES: 'a:1', REDIS_DB: '1' }, /^REDIS_DB: must be 0 with REDIS_CLUSTER_NODES/],
    [{ REDIS_CLUSTER_NODES: 'a:1', REDIS_URL: 'redis://b' }, /^REDIS_URL: must not be set together/],
    [
      { REDIS_CLUSTER_NODES: 'a:1', REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'm' },
      /^REDIS_CLUSTER_NODES: must not be set together/,
    ],
    [{ REDIS_KEY_PREFIX: 'a{b}' }, /^REDIS_KEY_PREFIX: must be up to 64/],
    [{ REDIS_FALLBACK: 'maybe' }, /^REDIS_FALLBACK: must be memory \| exit/],
  ])('refuses %j', (env, fault) => {
    expect(faultsOf(env)).toEqual([expect.stringMatching(fault)]);
  });

  test.each(['1e3', '-1', '1.5', '0x10', ' 20', '20ms', 'NaN', 'Infinity', '86400001', '9'.repeat(400)])(
    'refuses the interval %j',
    (value) => {
      expect(faultsOf({ SAVE_INTERVAL_MS: value })).toEqual([
        expect.stringMatching(/^SAVE_INTERVAL_MS: must be a whole number, 0 to 86400000; it is "/),
      ]);
    },
  );

  test('never repeats a secret, and cuts a long value short', () => {
    expect(faultsOf({ FLOW_SECRET: 'too short' })).toEqual(['FLOW_SECRET: must be at least 16 characters long']);
    expect(faultsOf({ HOST: 'x y'.repeat(1_000) }).join('').length).toBeLessThan(200);
  });

  test('refuses open access in production unless it is meant', () => {
    expect(faultsOf({ NODE_ENV: 'production' })).toHaveLength(1);
    expect(loadConfig({ NODE_ENV: 'production', ALLOW_OPEN_AUTH: 'true' }).authMode).toBe('open');
  });

  test.each<[Record<string, string>, RegExp]>([
    [{}, /^AUTH_MODE: jwt needs either AUTH_JWT_SECRET or AUTH_JWKS_URL/],
    [{ AUTH_JWT_SECRET: SECRET, AUTH_JWKS_URL: 'https://id.example/keys' }, /^AUTH_MODE: .*not both/],
    [{ AUTH_MODE: 'open', AUTH_JWT_SECRET: SECRET }, /^AUTH_MODE: open lets everyone in, although/],
    [{ AUTH_JWT_SECRET: 'x'.repeat(31) }, /^AUTH_JWT_SECRET: must be at least 32 bytes long$/],
    [{ AUTH_JWKS_URL: 'ftp://user:hush@id.example' }, /^AUTH_JWKS_URL: must be an https \(or http\) address$/],
    [
      { AUTH_JWKS_URL: 'http://id.example/keys', NODE_ENV: 'production' },
      /^AUTH_JWKS_URL: must be https with NODE_ENV/,
    ],
    [{ AUTH_JWT_SECRET: SECRET, ADMIN_TOKEN: 'too short' }, /^ADMIN_TOKEN: must be at least 16 characters long$/],
  ])('refuses tokens with %j', (env, fault) => {
    expect(faultsOf({ AUTH_MODE: 'jwt', ...env })).toEqual([expect.stringMatching(fault)]);
  });

  test('takes tokens in production, by a secret or by published keys', () => {
    const production = { NODE_ENV: 'production', AUTH_MODE: 'jwt' };
    expect(faultsOf({ ...production, AUTH_JWT_SECRET: SECRET })).toEqual([]);
    expect(faultsOf({ ...production, AUTH_JWKS_URL: 'https://id.example/keys' })).toEqual([]);
  });

  test('judges the rest as if a variable at fault were unset', () => {
    expect(faultsOf({ MAX_BATCH_BYTES: 'many', MAX_OPERATION_BYTES: '4000000' })).toEqual([
      expect.stringMatching(/^MAX_BATCH_BYTES: must be a whole number/),
    ]);
  });

  test.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['::1', true],
    ['::', true],
    ['flow.example', true],
    ['a b', false],
    ['http://localhost', false],
    ['[::1]', false],
    [':::1', false],
  ])('host %j accepted: %p', (host, isAccepted) => {
    expect(faultsOf({ HOST: host })).toHaveLength(isAccepted ? 0 : 1);
  });

  test.each([
    ['*', true],
    ['https://a.example', true],
    ['https://a.example/', false],
    ['https://a.example/path', false],
    ['a.example', false],
    ['HTTPS://A.EXAMPLE', false],
  ])('origin %j accepted: %p', (origin, isAccepted) => {
    expect(faultsOf({ ALLOWED_ORIGINS: origin })).toHaveLength(isAccepted ? 0 : 1);
  });
});

test('a variable is named after its setting', () => {
  expect(variableOf('saveIntervalMs')).toBe('SAVE_INTERVAL_MS');
  expect(new Set(settingNames.map(variableOf)).size).toBe(settingNames.length);
});
