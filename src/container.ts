import type { Server as HttpServer } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { asFunction, asValue, createContainer, InjectionMode } from 'awilix';
import type { Config } from '../config/load-config';
import type { Authenticate, Authorize } from './access/access';
import { AccessFollower } from './access/access-follower';
import type { AccessHints } from './access/access-hints';
import { Authentication } from './access/authentication';
import { Authorisation } from './access/authorisation';
import { ClientIdentity } from './access/client-identity';
import { DeviceSessions } from './access/device-sessions';
import type { Devices } from './access/devices';
import { jwtAuthenticate } from './access/jwt-access';
import { MemoryDevices } from './access/memory-devices';
import { MemoryRoleCache } from './access/memory-role-cache';
import { openAuthenticate, ownerOfGuests } from './access/open-access';
import { RedisAccessHints } from './access/redis-access-hints';
import { RedisDevices } from './access/redis-devices';
import { RedisRoleCache } from './access/redis-role-cache';
import { Revocations } from './access/revocations';
import { ROLE_CACHE_TTL_MS, type RoleCache } from './access/role-cache';
import { RoleChanges } from './access/role-changes';
import { RemoteKeys, secretKey } from './access/token-keys';
import { keptSecret, randomSecret } from './access/secret-file';
import { MemoryWebSocketManager } from './connections/memory-websocket-manager';
import { RedisWebSocketManager } from './connections/redis-websocket-manager';
import type { WebSocketManager } from './connections/websocket-manager';
import type { Instance } from './instances/instance';
import type { InstanceBus } from './instances/instance-bus';
import { InstanceGuard } from './instances/instance-guard';
import { InstanceRegistry } from './instances/instance-registry';
import { MemoryInstanceBus } from './instances/memory-instance-bus';
import { thisProcess } from './instances/process-life';
import { RedisInstanceBus } from './instances/redis-instance-bus';
import { RedisInstanceLeases } from './instances/redis-instance-leases';
import type { Clock } from './lib/clock';
import type { Logger } from './lib/logger';
import type { OriginRules } from './lib/origin';
import { peerAddress } from './lib/peer-address';
import { Arrivals } from './limits/arrivals';
import { AuthFailures } from './limits/auth-failures';
import { MemoryRateLimits } from './limits/memory-rate-limits';
import type { RateLimits } from './limits/rate-limits';
import { RedisRateLimits } from './limits/redis-rate-limits';
import { UserLimits } from './limits/user-limits';
import { Documents } from './live/documents';
import type { LiveServices } from './live/live-services';
import { OlderStores } from './live/older-stores';
import { OpenSessions } from './live/open-sessions';
import { Saver } from './live/saver';
import { SlowConsumers } from './live/slow-consumers';
import { Snapshotter } from './live/snapshotter';
import type { EventOrdering } from './ordering/event-ordering';
import { HotLogFiles } from './ordering/hot-log-file';
import { MemoryEventOrdering } from './ordering/memory-event-ordering';
import { MemorySaveDuty } from './ordering/memory-save-duty';
import { RedisEventOrdering } from './ordering/redis-event-ordering';
import { RedisSaveDuty } from './ordering/redis-save-duty';
import type { SaveDuty } from './ordering/save-duty';
import type { Position } from './protocol/positions';
import type { SessionInfo } from './protocol/schemas';
import { RedisKeys } from './redis/keys';
import { RedisConnections } from './redis/redis-connections';
import { RedisDebug } from './redis/redis-debug';
import { RedisHints } from './redis/redis-hints';
import type { CollaborationService } from './sessions/collaboration-service';
import { MemoryCollaborationService } from './sessions/memory-collaboration-service';
import { MemoryParticipants } from './sessions/memory-participants';
import { RedisCollaborationService } from './sessions/redis-collaboration-service';
import { RedisParticipants } from './sessions/redis-participants';
import type { Participants } from './sessions/participants';
import { SocketEdge } from './socket/socket-edge';
import { createSocketServer } from './socket/socket-server';
import type { DocumentFolder } from './storage/document-folder';
import type { DocumentStore } from './storage/document-store';
import { LmdbDocumentStore } from './storage/lmdb/lmdb-document-store';
import { MemoryDocumentStore } from './storage/memory/memory-document-store';
import { PiscinaDocumentFolder } from './storage/piscina-document-folder';
import { Gauges } from './telemetry/gauges';
import { Telemetry } from './telemetry/telemetry';

/** What the surroundings decide; everything else is chosen here. */
export interface Given {
  /** Of this program. */
  readonly version: string;
  readonly config: Config;
  readonly httpServer: HttpServer;
  /** Path of the Socket.IO endpoint. */
  readonly socketPath: string;
  /** The application's own, instead of what AUTH_MODE says. */
  readonly authenticate: Authenticate | undefined;
  /** The application's own, instead of the stored roles. */
  readonly authorize: Authorize | undefined;
  readonly onSessionOpened: ((session: SessionInfo) => void) | undefined;
  readonly onSaved: ((saved: { sessionId: string } & Position) => void) | undefined;
  /** A store of the embedder's own instead of the configured one. */
  readonly store: DocumentStore | undefined;
  /** An order shared with other servers of the same process instead of one's own. */
  readonly ordering: EventOrdering | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly phase: () => 'starting' | 'ready' | 'draining';
}

/** The only place that knows which implementation stands behind a port. Everything lives as long as the server. */
export function createFlowContainer(given: Given) {
  return createContainer({ injectionMode: InjectionMode.PROXY, strict: true })
    .register({
      given: asValue(given),
      config: asValue(given.config),
      clock: asValue(given.clock),
      log: asValue(given.log),
      telemetry: asFunction(() => new Telemetry()).singleton(),
      gauges: asFunction(
        ({ telemetry, clock }: Pick<Cradle, 'telemetry' | 'clock'>) => new Gauges({ telemetry, clock }),
      ).singleton(),
    })
    .register({
      store: asFunction(chooseStore).singleton(),
      accessHints: asFunction(chooseAccessHints).singleton(),
      accessFollower: asFunction(
        ({ store, accessHints: hints, clock, log, config }: Cradle) =>
          new AccessFollower({ changes: store.accessChanges, hints, clock, log, pollMs: config.accessPollMs }),
      ).singleton(),
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
      rateLimits: asFunction(chooseRateLimits).singleton(),
      userLimits: asFunction(
        ({ rateLimits, config, clock }: Pick<Cradle, 'rateLimits' | 'config' | 'clock'>) =>
          new UserLimits({ rateLimits, settings: config, clock }),
      ).singleton(),
      arrivals: asFunction(
        ({ rateLimits, config }: Pick<Cradle, 'rateLimits' | 'config'>) =>
          new Arrivals({ rateLimits, settings: config }),
      ).singleton(),
      authentication: asFunction(makeAuthentication).singleton(),
      roleCache: asFunction(chooseRoleCache).singleton(),
      roleChanges: asFunction(
        ({ accessFollower: follower, clock }: Cradle) => new RoleChanges({ follower, clock }),
      ).singleton(),
      authorisation: asFunction(makeAuthorisation).singleton(),
      folder: asFunction(
        ({ log, clock }: Pick<Cradle, 'log' | 'clock'>): DocumentFolder => new PiscinaDocumentFolder({ log, clock }),
      ).singleton(),
      redis: asFunction(connectionsToRedis).singleton(),
      redisKeys: asFunction(({ config }: Pick<Cradle, 'config'>) => new RedisKeys(config.redis.keyPrefix)).singleton(),
      hints: asFunction(hintsOfRedis).singleton(),
      ordering: asFunction(chooseOrdering).singleton(),
      saveDuty: asFunction(chooseSaveDuty).singleton(),
      collaboration: asFunction(chooseCollaboration).singleton(),
      participants: asFunction(chooseParticipants).singleton(),
      startedAt: asFunction(({ clock }: Pick<Cradle, 'clock'>) => clock.now()).singleton(),
      self: asFunction(describeSelf).singleton(),
      redisInstances: asFunction(chooseRedisInstances).singleton(),
      storeInstances: asFunction(chooseStoreInstances).singleton(),
      liveInstances: asFunction(makeLiveInstances).singleton(),
      guard: asFunction(makeGuard).singleton(),
      bus: asFunction(chooseBus).singleton(),
      io: asFunction(({ config, arrivals }: Pick<Cradle, 'config' | 'arrivals'>) =>
        createSocketServer({
          httpServer: given.httpServer,
          path: given.socketPath,
          maxBatchBytes: config.maxBatchBytes,
          handshakeMs: config.handshakeTimeoutMs,
          originRules: originRulesOf(given),
          isDoorOpen: (request) => arrivals.isDoorOpen(peerAddress(request, config.trustProxy)),
          phase: given.phase,
        }),
      ).singleton(),
      localSockets: asFunction(({ io }: Pick<Cradle, 'io'>) => new MemoryWebSocketManager({ io })).singleton(),
      adapter: asFunction(chooseAdapter).singleton(),
      sockets: asFunction(
        ({ adapter, localSockets }: Pick<Cradle, 'adapter' | 'localSockets'>): WebSocketManager =>
          adapter ?? localSockets,
      ).singleton(),
      identity: asFunction(
        ({ config }: Pick<Cradle, 'config'>) =>
          new ClientIdentity(() => secretOf(config), isOpen(given) ? ownerOfGuests : undefined),
      ).singleton(),
    })
    .register({
      saver: asFunction(
        ({ store, clock, telemetry, log, config }: Pick<Cradle, 'store' | 'clock' | 'telemetry' | 'log' | 'config'>) =>
          new Saver({ operationLog: store.operationLog, clock, telemetry, log, intervalMs: config.saveIntervalMs }),
      ).singleton(),
      snapshotter: asFunction(
        ({ store, folder, clock, log, config }: Pick<Cradle, 'store' | 'folder' | 'clock' | 'log' | 'config'>) =>
          new Snapshotter({
            operationLog: store.operationLog,
            snapshots: store.snapshots,
            folder,
            clock,
            log,
            afterEntries: config.snapshotEntries,
            afterBytes: config.snapshotBytes,
            historyMs: config.historyDays * MS_PER_DAY,
          }),
      ).singleton(),
      olderStores: asFunction(chooseOlderStores).singleton(),
      slowConsumers: asFunction(
        ({ sockets, telemetry, log, config }: Pick<Cradle, 'sockets' | 'telemetry' | 'log' | 'config'>) =>
          new SlowConsumers({ sockets, telemetry, log, maxUnreadBytes: config.slowConsumerBytes }),
      ).singleton(),
      openSessions: asFunction((cradle: Cradle) => {
        const { config, collaboration, roleChanges } = cradle;
        return new OpenSessions({
          roleChanges,
          services: liveServices(cradle),
          collaboration,
          auditIntervalMs: config.auditIntervalMs,
          idleMs: config.sessionIdleMs,
          participantLeaseMs: config.participantLeaseMs,
          saveLeaseMs: config.saveLeaseMs,
          touchIntervalMs: config.redis.sessionTtlMs / TOUCHES_PER_TTL,
          onSessionOpened: given.onSessionOpened,
        });
      }).singleton(),
      documents: asFunction(
        ({ openSessions, ordering, store }: Pick<Cradle, 'openSessions' | 'ordering' | 'store'>) =>
          new Documents({ openSessions, ordering, operationLog: store.operationLog, snapshots: store.snapshots }),
      ).singleton(),
      socketEdge: asFunction((cradle: Cradle) => {
        const { io, sockets, collaboration, openSessions, slowConsumers, authentication, revocations } = cradle;
        const { arrivals, userLimits } = cradle;
        const { authorisation, telemetry, clock, log, config } = cradle;
        return new SocketEdge({
          io,
          sockets,
          collaboration,
          openSessions,
          slowConsumers,
          authentication,
          revocations,
          arrivals,
          userLimits,
          authorisation,
          telemetry,
          clock,
          log,
          limits: config,
        });
      }).singleton(),
    });
}

const MS_PER_DAY = 86_400_000;
/** Two may fail before what Redis shows of an open session ends. */
const TOUCHES_PER_TTL = 3;
/** Folder of exported hot logs in DOCUMENT_DIR. */
const EXPORTS = 'exports';

/** What the registrations above resolve to. Written out, because they refer to each other. */
interface Cradle {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly store: DocumentStore;
  readonly accessHints: AccessHints | null;
  readonly accessFollower: AccessFollower;
  readonly devices: Devices;
  readonly revocations: Revocations;
  readonly deviceSessions: DeviceSessions;
  readonly rateLimits: RateLimits;
  readonly userLimits: UserLimits;
  readonly arrivals: Arrivals;
  readonly authentication: Authentication;
  readonly roleCache: RoleCache;
  readonly roleChanges: RoleChanges;
  readonly authorisation: Authorisation;
  readonly folder: DocumentFolder;
  /** Null: no service is on Redis. */
  readonly redis: RedisConnections | null;
  readonly redisKeys: RedisKeys;
  /** Null as above. */
  readonly hints: RedisHints | null;
  readonly ordering: EventOrdering;
  readonly saveDuty: SaveDuty;
  readonly collaboration: CollaborationService;
  readonly participants: Participants;
  readonly io: ReturnType<typeof createSocketServer>;
  readonly localSockets: MemoryWebSocketManager;
  readonly adapter: RedisWebSocketManager | null;
  readonly sockets: WebSocketManager;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** What this instance says of itself now; once the store is open. */
  readonly self: () => Promise<Instance>;
  readonly redisInstances: InstanceRegistry | null;
  readonly storeInstances: InstanceRegistry | null;
  readonly liveInstances: () => Promise<readonly Instance[]>;
  readonly bus: InstanceBus;
  readonly identity: ClientIdentity;
  readonly saver: Saver;
  readonly snapshotter: Snapshotter;
  readonly olderStores: OlderStores | null;
  readonly slowConsumers: SlowConsumers;
  readonly openSessions: OpenSessions;
  readonly given: Given;
}

/** Null: no service is on Redis. */
function connectionsToRedis({ config, clock, log, telemetry }: Cradle): RedisConnections | null {
  if (!Object.values(config.backends).includes('redis')) return null;
  const { redis: settings, instanceId } = config;
  const debug = RedisDebug.of(config.debug, log);
  return new RedisConnections({ settings, instanceId, clock, log, telemetry, debug });
}

/** Ordering, bus and access listen through one. */
function hintsOfRedis({ redis, log }: Cradle): RedisHints | null {
  return redis && new RedisHints({ redis, log });
}

function chooseOrdering({ given, config, redis, hints, redisKeys: keys, clock }: Cradle): EventOrdering {
  if (given.ordering) return given.ordering;
  if (config.backends.eventOrdering === 'memory' || !redis || !hints) return new MemoryEventOrdering({ clock });
  return new RedisEventOrdering({ redis, hints, keys, clock });
}

function chooseSaveDuty({ given, config, redis, redisKeys: keys, ordering }: Cradle): SaveDuty {
  if (given.ordering || config.backends.eventOrdering === 'memory' || !redis) return new MemorySaveDuty();
  return new RedisSaveDuty({ redis, keys, ordering, instanceId: config.instanceId, leaseMs: config.saveLeaseMs });
}

function chooseCollaboration({ config, redis, redisKeys: keys, store, clock, log }: Cradle): CollaborationService {
  const records = new MemoryCollaborationService({ records: store.sessionRecords, clock });
  if (config.backends.collaboration === 'memory' || !redis) return records;
  return new RedisCollaborationService({ records, redis, keys, log, ttlMs: config.redis.sessionTtlMs });
}

function chooseParticipants({ config, redis, redisKeys: keys, clock }: Cradle): Participants {
  const leaseMs = config.participantLeaseMs;
  if (config.backends.collaboration === 'memory' || !redis) return new MemoryParticipants({ clock, leaseMs });
  return new RedisParticipants({ redis, keys, clock, leaseMs });
}

/** Null: nobody else can be told. */
function chooseAccessHints({ redis, hints, redisKeys: keys, log }: Cradle): AccessHints | null {
  return redis && hints && new RedisAccessHints({ redis, hints, keys, log });
}

function chooseDevices({ config, redis, redisKeys: keys, clock }: Cradle): Devices {
  const ttlMs = config.deviceTtlSeconds * 1_000;
  if (config.backends.devices === 'memory' || !redis) return new MemoryDevices({ clock, ttlMs });
  return new RedisDevices({ redis, keys, ttlMs });
}

export const originRulesOf = (given: Pick<Given, 'authenticate' | 'config'>): OriginRules => ({
  allowedOrigins: given.config.allowedOrigins,
  isOpen: isOpen(given),
});

function chooseRateLimits({ config, redis, redisKeys: keys, clock, log }: Cradle): RateLimits {
  const here = new MemoryRateLimits({ clock });
  if (config.backends.rateLimits === 'memory' || !redis) return here;
  return new RedisRateLimits({ redis, keys, insurance: here, clock, log });
}

function chooseRoleCache({ config, redis, redisKeys: keys, clock, log }: Cradle): RoleCache {
  const ttlMs = ROLE_CACHE_TTL_MS;
  if (config.backends.roleCache === 'memory' || !redis) return new MemoryRoleCache({ clock, ttlMs });
  return new RedisRoleCache({ redis, keys, clock, log, ttlMs });
}

function makeAuthorisation(cradle: Cradle): Authorisation {
  const {
    given,
    collaboration,
    store,
    roleCache: cache,
    roleChanges: changes,
    accessFollower: follower,
    clock,
  } = cradle;
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

/** Whether names are nobody's. */
const isOpen = ({ authenticate, config }: Pick<Given, 'authenticate' | 'config'>): boolean =>
  !authenticate && config.authMode === 'open';

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

function describeSelf({ given, config, store, localSockets, startedAt }: Cradle): () => Promise<Instance> {
  const { instanceId, backends, configured } = config;
  return async () => {
    const { local, users } = await localSockets.stats();
    return {
      instanceId,
      host: hostname(),
      process: thisProcess(),
      startedAt,
      version: given.version,
      backends,
      configured,
      store: await placeOf(store, given.store ? store.kind : `memory of ${instanceId}`),
      isServing: given.phase() === 'ready',
      connections: local,
      users,
    };
  };
}

/** A store in memory is nobody else's; where one that was given keeps things, the one who gave it must know. */
const placeOf = async (store: DocumentStore, otherwise: string): Promise<string> =>
  store instanceof LmdbDocumentStore ? store.place() : otherwise;

/** Who shares Redis with this instance. Null: it uses none. */
function chooseRedisInstances({ redis, redisKeys: keys, self, clock, log }: Cradle): InstanceRegistry | null {
  if (!redis) return null;
  return new InstanceRegistry({ leases: new RedisInstanceLeases({ redis, keys }), describe: self, clock, log });
}

/** Who shares the store with this instance. Null: nobody can; or whoever made the instances has seen to it that they know of each other. */
function chooseStoreInstances({ given, store, self, clock, log }: Cradle): InstanceRegistry | null {
  if (given.ordering || !(store instanceof LmdbDocumentStore)) return null;
  return new InstanceRegistry({ leases: store.instanceLeases(clock), describe: self, clock, log });
}

/** This one first. A registry that cannot be reached is passed over: it shows in the health of what it is in. */
function makeLiveInstances({ self, redisInstances, storeInstances }: Cradle): Cradle['liveInstances'] {
  return async () => {
    const asked = [redisInstances, storeInstances].map((registry) => registry?.others() ?? []);
    const answers = await Promise.allSettled([self().then((instance) => [instance]), ...asked]);
    const instances = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return [...new Map(instances.map((instance) => [instance.instanceId, instance])).values()];
  };
}

function makeGuard({ given, self, clock, log }: Cradle): InstanceGuard {
  return new InstanceGuard({ self, isStopping: () => given.phase() === 'draining', clock, log });
}

/** Null: the WebSocket Manager is in memory. */
function chooseAdapter(cradle: Cradle): RedisWebSocketManager | null {
  const { config, redis, redisKeys: keys, localSockets: here, redisInstances: instances, io, clock, log } = cradle;
  if (config.backends.websockets === 'memory' || !redis || !instances) return null;
  return new RedisWebSocketManager({ here, io, redis, keys, instances, clock, log });
}

/** With the connections: what it tells is for those who are connected elsewhere. */
function chooseBus({ config, redis, hints, redisKeys: keys, log }: Cradle): InstanceBus {
  if (config.backends.websockets === 'memory' || !redis || !hints) return new MemoryInstanceBus();
  return new RedisInstanceBus({ redis, hints, keys, log });
}

function chooseStore({ given, config, log }: Pick<Cradle, 'given' | 'config' | 'log'>): DocumentStore {
  if (given.store) return given.store;
  switch (config.documentStore) {
    case 'memory':
      return new MemoryDocumentStore();
    case 'lmdb':
      return new LmdbDocumentStore({ directory: config.documentDir, durability: config.documentDurability, log });
  }
}

/** Null: documents end with the process, and a store that is empty again is not too old. */
function chooseOlderStores({ config, store, ordering, clock, log }: Cradle): OlderStores | null {
  if (store.operationLog.durability === 'none') return null;
  return new OlderStores({ ordering, files: new HotLogFiles(join(config.documentDir, EXPORTS)), clock, log });
}

/** Client ids are worth as much as the documents: without a directory they end with the process too. */
async function secretOf({ flowSecret, documentStore, documentDir }: Config): Promise<string> {
  if (flowSecret) return flowSecret;
  return documentStore === 'memory' ? randomSecret() : keptSecret(documentDir);
}

function liveServices(cradle: Cradle): LiveServices {
  const { config, given, store } = cradle;
  const { ordering, saveDuty, folder, participants, sockets, bus, identity, telemetry, clock, log } = cradle;
  const { saver, snapshotter, olderStores, slowConsumers, authorisation } = cradle;
  return {
    ordering,
    saveDuty,
    operationLog: store.operationLog,
    olderStores,
    snapshots: store.snapshots,
    folder,
    participants,
    sockets,
    bus,
    identity,
    authorisation,
    saver,
    snapshotter,
    slowConsumers,
    telemetry,
    clock,
    log,
    limits: {
      maxOperationBytes: config.maxOperationBytes,
      maxBatchOperations: config.maxBatchOperations,
      maxBatchBytes: config.maxBatchBytes,
      ring: { maxEntries: config.ringEntries, maxBytes: config.ringBytes },
      maxUnsavedBytes: config.maxUnsavedBytes,
      fanOutIntervalMs: config.fanoutIntervalMs,
      awarenessIntervalMs: config.awarenessIntervalMs,
      awarenessBytesPerSecond: config.awarenessBytesPerSecond,
      maxParticipants: config.maxParticipants,
      maxDocumentBytes: config.maxDocumentBytes,
    },
    onSaved: given.onSaved,
  };
}
