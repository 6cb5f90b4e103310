import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { SERVICES, serviceNames, type ServiceSetting } from '../src/protocol/services';
import { stopDeadlineMs } from './stop-deadline.json';
import { bytes, choice, fileText, flag, integer, milliseconds } from './value-types';

/** Longest text V8 can surely hold and JSON can surely escape; a frame is one text. */
const MAX_FRAME_BYTES = 67_108_864;

/** Ten seconds of it are one number in Redis, well inside exact integers. */
const MAX_BYTES_PER_SECOND = 1_099_511_627_776;

/** What HS256 is as strong as. */
const MIN_JWT_SECRET_BYTES = 32;
/** Ten years. */
const MAX_SECONDS = 315_360_000;

/** An environment variable that is empty counts as unset; who gives an empty text in a program is told. */
const text = z.string().min(1, { error: 'must not be empty' });

const jwksUrl = z
  .string()
  .refine((text) => URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol), {
    error: 'must be an https (or http) address',
  });

/** A change of access holds everywhere within a second; the rest is for the asking. */
const MAX_ACCESS_POLL_MS = 800;

const hostName = z
  .string()
  .regex(/^[A-Za-z0-9.:_-]{1,255}$/, { error: 'must be localhost, an IP address or a host name', abort: true })
  .refine((host) => !host.includes(':') || isIP(host) === 6, {
    error: 'must be localhost, an IP address or a host name',
  });

const originList = z
  .string()
  .transform((list) =>
    list
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  )
  .refine((origins) => origins.every((origin) => origin === '*' || isOrigin(origin)), {
    error: 'must be a comma-separated list of origins like https://example.com (no path), or *',
  })
  .prefault('');

const REDIS_URL_ERROR = 'must be redis:// or rediss://, like redis://user:password@host:6379/0';

const redisUrl = z
  .string()
  .refine((text) => URL.canParse(text) && ['redis:', 'rediss:'].includes(new URL(text).protocol), {
    error: REDIS_URL_ERROR,
    abort: true,
  })
  .refine((text) => new URL(text).hostname !== '' && /^(\/\d{0,4})?$/.test(new URL(text).pathname), {
    error: REDIS_URL_ERROR,
  });

const MAX_PORT = 65_535;

/** host:port,host:port; an IPv6 address in brackets. */
const hostPorts = z
  .string()
  .transform((list) =>
    list
      .split(',')
      .map(
        (item) => /^\s*(?:\[(?<v6>[0-9a-fA-F:]+)\]|(?<name>[A-Za-z0-9._-]+)):(?<port>\d{1,5})\s*$/.exec(item)?.groups,
      )
      .map((found) => ({ host: found?.['v6'] ?? found?.['name'] ?? '', port: Number(found?.['port'] ?? 0) })),
  )
  .refine((hosts) => hosts.every(({ host, port }) => host !== '' && port > 0 && port <= MAX_PORT), {
    error: 'must be a comma-separated list of host:port',
  })
  .optional();

const serviceSettings = Object.fromEntries(
  serviceNames.map((name) => {
    const { setting, logName, purpose } = SERVICES[name];
    return [setting, flag(false).describe(`${logName} on Redis: ${purpose}`)];
  }),
  // One for each service, so that none is missing.
) as Record<ServiceSetting, ReturnType<typeof flag>>;

/** What one caller may do, and how much of it; 0 is no limit. */
const perSecond = (defaultValue: number) => integer(defaultValue, 0, 1_000_000);
const perMinute = perSecond;
const most = perSecond;

/** Limits per caller: what people and the tools in this repository need, several times over (docs/limits.md). */
const callerLimits = {
  editsPerSecond: perSecond(100).describe(
    '`operation:submit` of one connection; five times as many at once. 0: no limit.',
  ),
  awarenessPerSecond: perSecond(100).describe('`awareness:update` of one connection, in the same way.'),
  requestsPerSecond: perSecond(50).describe('All other events of one connection, in the same way.'),
  receivedBytesPerSecond: bytes(2_097_152, 0).describe('Everything that one connection sends, in the same way.'),
  userEditsPerSecond: perSecond(200).describe(
    'Edits of one user, on all connections and over HTTP; in ten seconds ten times as many.',
  ),
  userReceivedBytesPerSecond: bytes(4_194_304, 0, MAX_BYTES_PER_SECOND).describe(
    'Everything that one user sends, on all connections and over HTTP, in the same way.',
  ),
  userJoinsPerMinute: perMinute(600).describe('Sessions one user joins.'),
  userCreatesPerMinute: perMinute(120).describe('Sessions one user makes.'),
  userConnectsPerMinute: perMinute(120).describe('Connections one user makes.'),
  userHttpRequestsPerMinute: perMinute(600).describe('Requests over HTTP of one user to one route.'),
  ipConnectsPerMinute: perMinute(3_000).describe('Connections made from one address.'),
  ipHttpRequestsPerMinute: perMinute(6_000).describe('Requests over HTTP from one address; health is not counted.'),
  ipAuthFailuresPerMinute: perMinute(60).describe(
    'Tokens from one address that are not accepted. Beyond it none is looked at.',
  ),
  maxIgnoredRefusals: most(1_000).describe(
    'A connection that sends so many requests in five seconds although it was told to wait is ended. 0: it never is.',
  ),
  maxConnectionsPerUser: most(100).describe('Connections of one user to this instance.'),
  maxConnectionsPerIp: most(1_000).describe('Connections from one address to this instance.'),
  maxSessionsPerConnection: most(500).describe('Sessions one connection is in.'),
  maxParticipants: most(1_000).describe('Connections in one session, on all instances.'),
  maxDocumentBytes: bytes(67_108_864, 0).describe(
    'A document with so much to read at a join takes no further edits; it can be read.',
  ),
};

/**
 * Every environment variable, in the order of `.env.development`: name → how it is read, its default, what it is for.
 * A variable `SAVE_INTERVAL_MS` is the field `saveIntervalMs` of the configuration.
 */
export const settings = z.object({
  port: integer(3001, 0, 65_535).describe('TCP port. 0 takes a free one.'),
  host: hostName
    .prefault('localhost')
    .describe(
      'Where to listen. localhost: 127.0.0.1 and ::1, this machine only. 0.0.0.0 or :: : every network, as a container needs.',
    ),
  nodeEnv: choice(['development', 'production', 'test'], 'development').describe(
    'production refuses what is only safe on a developer machine.',
  ),
  instanceId: z
    .string()
    .regex(/^[A-Za-z0-9._~-]{1,128}$/, { error: 'must be 1 to 128 of A-Z a-z 0-9 . _ ~ -' })
    .optional()
    .describe('Name of this process in logs and /health. Unset: made of host name, process id and a random part.'),
  logLevel: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info').describe(
    'Least severe level that is logged.',
  ),
  debug: text
    .optional()
    .describe('redis:* logs each command and connection event of Redis by name and time, whatever LOG_LEVEL says.'),

  ...serviceSettings,

  redisUrl: redisUrl
    .optional()
    .describe('Address of Redis with everything in it; wins over host, port, user, password and database.'),
  redisHost: hostName.optional().describe('Host of Redis. Unset: localhost.'),
  redisPort: integer(6_379, 1, MAX_PORT).describe('Port of Redis.'),
  redisUsername: text.optional().describe('User of Redis (ACL). Unset: the default user.'),
  redisPassword: text.optional().describe('Password of Redis. Unset: none.'),
  redisDb: integer(0, 0, 1_000).describe('Number of the database. A cluster has only 0.'),
  redisTls: flag(false).describe('Encrypts the connection to Redis; rediss:// says so too.'),
  redisTlsCa: fileText(/-----BEGIN CERTIFICATE-----/, 'must be the path of a file with certificates (PEM)')
    .optional()
    .describe('Certificates that sign the one of Redis, where that is not a public authority.'),
  redisClusterNodes: hostPorts.describe(
    'Some nodes of a Redis Cluster, as host:port,host:port; instead of REDIS_HOST.',
  ),
  redisSentinels: hostPorts.describe(
    'Sentinels that know where the master is, as host:port,host:port; instead of REDIS_HOST.',
  ),
  redisSentinelName: text.optional().describe('What the sentinels call the master.'),
  redisSentinelPassword: text.optional().describe('Password of the sentinels themselves. Unset: none.'),
  redisProtocol: choice(['3', '2'], '3').describe('RESP version; 2 for old proxies.'),
  redisKeyPrefix: z
    .string()
    .regex(/^[A-Za-z0-9:._-]{0,64}$/, { error: 'must be up to 64 of A-Z a-z 0-9 : . _ -' })
    .prefault('flow:')
    .describe('Before every key and channel, so that several systems can share one Redis.'),
  redisSessionTtl: integer(3_600, 1, 2_592_000).describe(
    'Seconds after which what Redis shows of an unused session is gone.',
  ),
  redisMaxRetries: integer(3, 0, 100).describe('Reconnects an operation waits for before it fails.'),
  redisRetryDelay: milliseconds(1_000).describe(
    'Longest delay before connecting again, in ms; it grows by 50 with every attempt.',
  ),
  redisConnectTimeout: milliseconds(10_000).describe('Longest time to connect to Redis, in ms.'),
  redisSlowMs: milliseconds(100).describe('An operation that takes longer is logged.'),
  redisFallback: z
    .enum(['memory', 'exit'], { error: 'must be memory | exit' })
    .optional()
    .describe(
      'When Redis cannot be reached at start. memory: run in memory and say so. exit: do not start. Unset: exit in production, else memory.',
    ),

  documentStore: choice(['lmdb', 'memory'], 'lmdb').describe(
    'Where documents are kept. lmdb: files on this machine. memory: nowhere, gone with the process.',
  ),
  documentDir: text
    .transform((path) => resolve(path))
    .prefault('./data')
    .describe('Directory of the lmdb store. Must not be on a network file system.'),
  documentDurability: choice(['fsync', 'buffered'], 'fsync').describe(
    'What "saved" survives. fsync: loss of power. buffered: the death of the process, not of the machine.',
  ),
  historyDays: integer(90, 0, 36_500).describe('Days that entries below the latest snapshot are kept.'),

  saveIntervalMs: milliseconds(20, 0).describe(
    'Longest time from the first unsaved entry to its flush (group commit).',
  ),
  saveLeaseMs: milliseconds(5_000, 500).describe(
    'With the order in Redis: an instance that saves and is not heard of for this long is relieved by another.',
  ),
  saveStallMs: milliseconds(5_000).describe('Saving stands still for this long: /health/ready fails.'),
  fanoutIntervalMs: milliseconds(16, 0).describe('A busy session sends at most one frame per this time.'),
  auditIntervalMs: milliseconds(1_000).describe('How often heads are compared, so that a lost hint is repaired.'),
  sessionIdleMs: milliseconds(60_000).describe('A session without connections is closed after this time.'),
  participantLeaseMs: milliseconds(30_000, 1_000).describe('A participant who is not renewed for this long is gone.'),
  accessPollMs: integer(500, 10, MAX_ACCESS_POLL_MS).describe(
    'How often the store is asked whose access has changed. Instances on one Redis also tell each other at once.',
  ),
  stopDeadlineMs: milliseconds(stopDeadlineMs, 1_000).describe('Longest time an orderly stop may take.'),

  maxOperationBytes: bytes(1_048_576, 1, MAX_FRAME_BYTES).describe('Largest operation.'),
  maxBatchOperations: integer(256, 1, 65_536).describe('Most operations in one batch.'),
  maxBatchBytes: bytes(2_097_152, 1, MAX_FRAME_BYTES).describe('Largest batch.'),
  maxInFlightBatches: integer(64, 1, 65_536).describe('Batches of one client that may wait for their answer.'),
  maxUnsavedBytes: bytes(67_108_864).describe('Unsaved operations this process holds; beyond it, clients keep theirs.'),
  ringEntries: integer(1_024, 1, 1_048_576).describe('Latest entries of an open session held for rejoins without I/O.'),
  ringBytes: bytes(2_097_152).describe('The same in bytes; whichever is reached first.'),
  slowConsumerBytes: bytes(4_194_304, 65_536).describe(
    'A connection with this much unread, besides the reply to its join, is cut off and catches up.',
  ),
  snapshotEntries: integer(500, 1, 1_000_000).describe(
    'A snapshot is due after this many entries; under load it is made later.',
  ),
  snapshotBytes: bytes(262_144).describe('The same in bytes; whichever is reached first.'),
  handshakeTimeoutMs: milliseconds(10_000).describe(
    'Time a connection has to say what it wants: the head of a request, the upgrade to a WebSocket, and then who it is.',
  ),
  awarenessIntervalMs: milliseconds(50, 0).describe('A session sends at most one awareness frame per this time.'),
  awarenessBytesPerSecond: bytes(65_536, 1_024).describe('Awareness one connection receives at most.'),

  ...callerLimits,
  trustProxy: integer(0, 0, 16).describe(
    'Proxies of yours before this server, each of which adds to X-Forwarded-For. 0: that header is not believed.',
  ),

  flowSecret: z
    .string()
    .min(16, { error: 'must be at least 16 characters long' })
    .optional()
    .describe('Signs client ids. Unset: one is made and kept in DOCUMENT_DIR.'),
  authMode: choice(['open', 'jwt'], 'open').describe(
    'Who may connect. open: everyone, by the name they give. jwt: whoever has a signed token; its `sub` is the user.',
  ),
  allowOpenAuth: flag(false).describe('NODE_ENV=production refuses AUTH_MODE=open unless this is true.'),
  authJwtSecret: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= MIN_JWT_SECRET_BYTES, {
      error: `must be at least ${MIN_JWT_SECRET_BYTES} bytes long`,
    })
    .optional()
    .describe('AUTH_MODE=jwt: tokens are signed with this secret (HS256).'),
  authJwksUrl: jwksUrl
    .optional()
    .describe(
      'AUTH_MODE=jwt: tokens are signed with the keys published there (RS256, ES256, EdDSA); instead of a secret.',
    ),
  authIssuer: text.optional().describe('Who must have issued a token (`iss`). Unset: anybody who can sign it.'),
  authAudience: text.optional().describe('Whom a token must be for (`aud`). Unset: it does not matter.'),
  authMaxTokenSeconds: integer(2_592_000, 60, MAX_SECONDS).describe(
    'A token that lives longer is refused. A device that was revoked stays out for as long.',
  ),
  deviceTtlSeconds: integer(2_592_000, 60, MAX_SECONDS).describe(
    'A device that was not used for so long is no longer listed.',
  ),
  adminToken: z
    .string()
    .min(16, { error: 'must be at least 16 characters long' })
    .optional()
    .describe(
      'Bearer token that opens what is for administrators. They may also show a token of their own, whose claim `roles` has flow-admin.',
    ),
  allowedOrigins: originList.describe(
    'Origins whose pages may connect, comma-separated; * for any. Empty: pages of the same host name and of localhost. With AUTH_MODE=open also the names with a dot by which this server may be called.',
  ),
});

export type Settings = z.infer<typeof settings>;
export type SettingName = keyof Settings;

export const settingNames: readonly SettingName[] = settings.keyof().options;

/** Settings of which 0 is no limit. */
export const callerLimitNames: readonly SettingName[] = settings
  .pick(
    Object.fromEntries(Object.keys(callerLimits).map((name) => [name, true])) as Record<
      keyof typeof callerLimits,
      true
    >,
  )
  .keyof().options;

/** Variables whose value is never repeated in a message. */
export const secretSettings: ReadonlySet<string> = new Set<SettingName>([
  'flowSecret',
  'redisUrl',
  'redisPassword',
  'redisSentinelPassword',
  'authJwtSecret',
  'authJwksUrl',
  'adminToken',
]);

/** The variable of a setting: `saveIntervalMs` is read from `SAVE_INTERVAL_MS`. */
export const variableOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** The setting that is read from a variable. */
export const settingOf = (variable: string): SettingName | undefined =>
  settingNames.find((name) => variableOf(name) === variable);

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
