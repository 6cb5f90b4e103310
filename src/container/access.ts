import { asFunction } from 'awilix';
import type { Config } from '../../config/load-config';
import type { Authenticate } from '../access/access';
import { AccessFollower } from '../access/access-follower';
import type { AccessHints } from '../access/access-hints';
import { Authentication } from '../access/authentication';
import { Authorisation } from '../access/authorisation';
import { ClientIdentity } from '../access/client-identity';
import { DeviceSessions } from '../access/device-sessions';
import type { Devices } from '../access/devices';
import { jwtAuthenticate } from '../access/jwt-access';
import { MemoryDevices } from '../access/memory-devices';
import { MemoryRoleCache } from '../access/memory-role-cache';
import { openAuthenticate, ownerOfGuests } from '../access/open-access';
import { RedisAccessHints } from '../access/redis-access-hints';
import { RedisDevices } from '../access/redis-devices';
import { RedisRoleCache } from '../access/redis-role-cache';
import { Revocations } from '../access/revocations';
import { ROLE_CACHE_TTL_MS, type RoleCache } from '../access/role-cache';
import { RoleChanges } from '../access/role-changes';
import { keptSecret, randomSecret } from '../access/secret-file';
import { RemoteKeys, secretKey } from '../access/token-keys';
import type { OriginRules } from '../lib/origin';
import { AuthFailures } from '../limits/auth-failures';
import type { Given, GivenCradle } from './given';
import type { LimitsCradle } from './limits';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';
import type { SessionsCradle } from './sessions';
import type { StorageCradle } from './storage';

export interface AccessCradle {
  /** Null: nobody else can be told. */
  readonly accessHints: AccessHints | null;
  readonly accessFollower: AccessFollower;
  readonly originRules: OriginRules;
  readonly devices: Devices;
  readonly revocations: Revocations;
  readonly deviceSessions: DeviceSessions;
  readonly authentication: Authentication;
  readonly identity: ClientIdentity;
  readonly roleCache: RoleCache;
  readonly roleChanges: RoleChanges;
  readonly authorisation: Authorisation;
}

type Cradle = AccessCradle & GivenCradle & LimitsCradle & RedisCradle & SessionsCradle & StorageCradle;

export const accessRegistrations: Registrations<AccessCradle> = {
  accessHints: asFunction(chooseAccessHints).singleton(),
  accessFollower: asFunction(
    ({ store, accessHints: hints, clock, log, config }: Cradle) =>
      new AccessFollower({ changes: store.accessChanges, hints, clock, log, pollMs: config.accessPollMs }),
  ).singleton(),
  originRules: asFunction(({ given, config }: Cradle) => ({
    allowedOrigins: config.allowedOrigins,
    isOpen: isOpen(given),
  })).singleton(),
  devices: asFunction(chooseDevices).singleton(),
  revocations: asFunction(
    ({ accessFollower: follower, clock }: Cradle) => new Revocations({ follower, clock }),
  ).singleton(),
  deviceSessions: asFunction(
    ({ devices, store, accessFollower: follower, revocations, config, clock, log }: Cradle) =>
      new DeviceSessions({
        devices,
        changes: store.accessChanges,
        follower,
        revocations,
        maxTokenMs: config.authMaxTokenSeconds * 1_000,
        clock,
        log,
      }),
  ).singleton(),
  authentication: asFunction(makeAuthentication).singleton(),
  identity: asFunction(
    ({ given, config }: Cradle) =>
      new ClientIdentity(() => secretOf(config), isOpen(given) ? ownerOfGuests : undefined),
  ).singleton(),
  roleCache: asFunction(chooseRoleCache).singleton(),
  roleChanges: asFunction(
    ({ accessFollower: follower, clock }: Cradle) => new RoleChanges({ follower, clock }),
  ).singleton(),
  authorisation: asFunction(makeAuthorisation).singleton(),
};

function chooseAccessHints({ redis, hints, redisKeys: keys, log }: Cradle): AccessHints | null {
  return redis && hints && new RedisAccessHints({ redis, hints, keys, log });
}

/** Whether names are nobody's. */
const isOpen = ({ authenticate, config }: Given): boolean => !authenticate && config.authMode === 'open';

function chooseDevices({ config, redis, redisKeys: keys, clock }: Cradle): Devices {
  const ttlMs = config.deviceTtlSeconds * 1_000;
  if (config.backends.devices === 'memory' || !redis) return new MemoryDevices({ clock, ttlMs });
  return new RedisDevices({ redis, keys, ttlMs });
}

function makeAuthentication(cradle: Cradle): Authentication {
  const { given, config, accessFollower: follower, revocations, deviceSessions, rateLimits, clock } = cradle;
  const authenticate = given.authenticate ?? (isOpen(given) ? openAuthenticate : jwtAccess(cradle));
  return new Authentication({
    authenticate,
    follower,
    revocations,
    deviceSessions,
    failures: new AuthFailures({ rateLimits, perMinute: config.ipAuthFailuresPerMinute, clock }),
    adminToken: config.adminToken,
    clock,
  });
}

function jwtAccess({ config, clock, log }: Cradle): Authenticate {
  const { authJwtSecret, authJwksUrl: url, authIssuer: issuer, authAudience: audience } = config;
  // What AUTH_MODE=jwt goes without is refused with the settings; those of an embedder are not read from there.
  if (authJwtSecret === undefined && url === undefined)
    throw new Error('AUTH_MODE=jwt needs authJwtSecret or authJwksUrl');
  const keys = authJwtSecret === undefined ? new RemoteKeys({ url: url ?? '', clock, log }) : secretKey(authJwtSecret);
  return jwtAuthenticate({ keys, issuer, audience, maxTokenMs: config.authMaxTokenSeconds * 1_000, clock });
}

/** Client ids are worth as much as the documents: without a directory they end with the process too. */
async function secretOf({ flowSecret, documentStore, documentDir }: Config): Promise<string> {
  if (flowSecret) return flowSecret;
  return documentStore === 'memory' ? randomSecret() : keptSecret(documentDir);
}

function chooseRoleCache({ config, redis, redisKeys: keys, clock, log }: Cradle): RoleCache {
  const ttlMs = ROLE_CACHE_TTL_MS;
  if (config.backends.roleCache === 'memory' || !redis) return new MemoryRoleCache({ clock, ttlMs });
  return new RedisRoleCache({ redis, keys, clock, log, ttlMs });
}

function makeAuthorisation(cradle: Cradle): Authorisation {
  const { given, collaboration, store, clock } = cradle;
  const { roleCache: cache, roleChanges: changes, accessFollower: follower } = cradle;
  return new Authorisation({
    collaboration,
    roles: store.sessionRoles,
    accessChanges: store.accessChanges,
    cache,
    changes,
    follower,
    authorize: given.authorize,
    // Where names are nobody's, roles by name would keep nobody out, and would be in the way of who tries it out.
    defaultLink: isOpen(given) ? 'editor' : 'none',
    clock,
  });
}
