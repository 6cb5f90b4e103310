import { ConfigError, loadConfig } from '../../config/load-config';
import { settings, variableOf } from '../../config/schema';
import { configOf, type SettingValues } from '../../config/setting-values';

/** Values as a program without types may give them. */
function faultsOf(values: object): readonly string[] {
  try {
    configOf(values);
    return [];
  } catch (fault) {
    if (fault instanceof ConfigError) return fault.faults;
    throw fault;
  }
}

describe('settings from a program', () => {
  test('mean what the same variables mean', () => {
    const values: SettingValues = {
      instanceId: 'one',
      port: 0,
      saveIntervalMs: 0,
      documentDir: './elsewhere',
      allowedOrigins: ['https://a.example', 'http://b.example:8080'],
      useRedisDevices: true,
      redisClusterNodes: ['a:7000', '[::1]:7001'],
      redisTls: true,
      authIssuer: undefined,
    };
    const variables = {
      INSTANCE_ID: 'one',
      PORT: '0',
      SAVE_INTERVAL_MS: '0',
      DOCUMENT_DIR: './elsewhere',
      ALLOWED_ORIGINS: 'https://a.example,http://b.example:8080',
      USE_REDIS_DEVICES: 'true',
      REDIS_CLUSTER_NODES: 'a:7000,[::1]:7001',
      REDIS_TLS: 'true',
    };
    expect(configOf(values)).toEqual(loadConfig(variables));
  });

  test('may be all defaults, and each default may be given', () => {
    const { redisClusterNodes, redisSentinels, ...defaults } = settings.parse({});
    expect([redisClusterNodes, redisSentinels]).toEqual([undefined, undefined]);
    const instanceId = 'one';
    expect(configOf({ instanceId })).toEqual(loadConfig({ INSTANCE_ID: instanceId }));
    expect(configOf({ ...defaults, instanceId })).toEqual(configOf({ instanceId }));
  });

  test('are reported all together, by the names they have there, with what is allowed and what was given', () => {
    const faults = faultsOf({
      port: 70_000,
      saveIntervalMs: 'soon',
      maxBatchOperations: -1,
      fanoutIntervalMs: Number.NaN,
      documentStore: 'postgres',
      flowSecret: 'short',
      maxOperationBytes: 100,
      maxBatchBytes: 10,
      documentdir: 'x',
      telepathy: true,
    });
    expect(faults).toEqual([
      'port: must be a whole number, 0 to 65535; it is 70000',
      "documentStore: must be lmdb | memory; it is 'postgres'",
      "saveIntervalMs: must be a whole number, 0 to 86400000; it is 'soon'",
      'fanoutIntervalMs: must be a whole number, 0 to 86400000; it is NaN',
      'maxBatchOperations: must be a whole number, 1 to 65536; it is -1',
      // A secret is never repeated.
      'flowSecret: must be at least 16 characters long',
      'maxOperationBytes: must not be more than maxBatchBytes, or such an operation fits no batch',
      expect.stringMatching(/^documentdir: there is no such setting; there are .*documentDir/),
      'telepathy: there is no such setting; README.md of Flow Backend lists them',
    ]);
  });

  test.each<[object, string]>([
    [{ saveIntervalMs: '20' }, "saveIntervalMs: must be a number; it is '20'"],
    [{ saveIntervalMs: 1.5 }, 'saveIntervalMs: must be a whole number, 0 to 86400000; it is 1.5'],
    [{ saveIntervalMs: null }, 'saveIntervalMs: must be a whole number, 0 to 86400000; it is null'],
    [{ saveIntervalMs: [20] }, 'saveIntervalMs: must be a number; it is [ 20 ]'],
    [{ useRedisDevices: 'true' }, "useRedisDevices: must be true or false; it is 'true'"],
    [{ useRedisDevices: 1 }, 'useRedisDevices: must be true or false; it is 1'],
    [{ documentDir: 7 }, 'documentDir: must be a text; it is 7'],
    [{ documentDir: '' }, "documentDir: must not be empty; it is ''"],
    [{ redisKeyPrefix: {} }, 'redisKeyPrefix: must be up to 64 of A-Z a-z 0-9 : . _ -; it is {}'],
    [{ allowedOrigins: 'https://a.example' }, "allowedOrigins: must be a list of texts; it is 'https://a.example'"],
    [{ authMode: 'jwt' }, 'authMode: jwt needs either authJwtSecret or authJwksUrl, and not both'],
    [{ redisPassword: 7 }, 'redisPassword: must be a text'],
    [{ FLOW_SECRET: 'x' }, 'FLOW_SECRET: there is no such setting; there are flowSecret'],
    [{ backends: {} }, 'backends: there is no such setting; README.md of Flow Backend lists them'],
  ])('%j is at fault', (values, fault) => {
    expect(faultsOf(values)).toEqual([fault]);
  });

  test('are not taken from the environment', () => {
    const variable = variableOf('port');
    const before = process.env[variable];
    process.env[variable] = '4711';
    try {
      expect(configOf({}).port).toBe(settings.parse({}).port);
    } finally {
      if (before === undefined) delete process.env[variable];
      else process.env[variable] = before;
    }
  });
});
