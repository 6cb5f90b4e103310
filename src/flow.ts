import type { Server as HttpServer } from 'node:http';
import type { Router } from 'express';
import type { Config } from '../config/load-config';
import { configOf, type SettingValues } from '../config/setting-values';
import type { Authenticate, Authorize } from './access/access';
import { createFlowContainer } from './container';
import { createPages } from './http/pages';
import { createHttpRouter } from './http/router';
import type { InstanceGuard } from './instances/instance-guard';
import type { InstanceRegistry } from './instances/instance-registry';
import { systemClock, type Clock } from './lib/clock';
import { Lifecycle, type Part } from './lib/lifecycle';
import { silentLogger, type Logger } from './lib/logger';
import { RecentWarnings } from './lib/recent-warnings';
import type { StopReport } from './live/open-sessions';
import type { EventOrdering } from './ordering/event-ordering';
import type { Position } from './protocol/positions';
import type { SessionInfo } from './protocol/schemas';
import { backendLine, serviceNames } from './protocol/services';
import type { DocumentStore } from './storage/document-store';
import { version } from '../package.json';

/** Where an application takes part. */
export interface FlowHooks {
  /** Who somebody is. Default: AUTH_MODE. */
  readonly authenticate?: Authenticate;
  /** What a user is in a session. Default: what they were given, or what its link gives. */
  readonly authorize?: Authorize;
  /** A session was opened in this process. */
  readonly onSessionOpened?: (session: SessionInfo) => void;
  /** Everything up to this position of a session is in the store. */
  readonly onSaved?: (saved: { sessionId: string } & Position) => void;
}

export interface FlowOptions {
  /** The server that carries the WebSocket. It stays the caller's: flow neither listens on it nor closes it. */
  readonly httpServer: HttpServer;
  /** Settings that differ from the defaults of `.env.development`, where they are explained: `saveIntervalMs` is SAVE_INTERVAL_MS there. */
  readonly config?: SettingValues;
  readonly hooks?: FlowHooks;
  /** A document store of one's own; flow starts and stops it. */
  readonly store?: DocumentStore;
  /** Event ordering shared with other flows of this process. */
  readonly ordering?: EventOrdering;
  /** Default: /socket.io */
  readonly socketPath?: string;
  readonly log?: Logger;
  /** What `log` has noted, for administrators to see in /ws/stats. Default: nothing. */
  readonly warnings?: RecentWarnings;
  readonly clock?: Clock;
}

/** A Flow server inside an application. */
export interface Flow {
  /** REST, health and stats; mount it wherever it should be. */
  readonly router: Router;
  /** The editor for people, at `/` and `/s/<sessionId>`; mount it where `router` is, or not at all. Needs `npm run build`. */
  readonly pages: Router;
  start(): Promise<void>;
  /**
   * For an application with an `authorize` of its own: what it answers for a user (null: for everybody) in a session is another
   * thing now. Holds for whoever is connected, on every instance within a second. Rejects with STORE_UNAVAILABLE.
   */
  accessChanged(sessionId: string, userId: string | null): Promise<void>;
  /** Tells clients, saves what is ordered, lets go of everything. Twice is once. */
  stop(): Promise<StopReport>;
}

type Phase = 'starting' | 'ready' | 'draining';

/** Share of the stop deadline that saving may take; the rest is for letting go. */
const DRAIN_SHARE = 0.7;

/** Throws a ConfigError that names every fault of the settings. */
export function createFlow({ config = {}, ...options }: FlowOptions): Flow {
  // Where a hook says who somebody is, AUTH_MODE lets nobody in.
  const given = options.hooks?.authenticate ? { ...config, allowOpenAuth: true } : config;
  return assembleFlow(configOf(given), options);
}

/** The same with a configuration that was read already. */
export function assembleFlow(config: Config, options: Omit<FlowOptions, 'config'>): Flow {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const hooks = options.hooks ?? {};
  let phase: Phase = 'starting';

  const socketPath = options.socketPath ?? '/socket.io';
  const { cradle } = createFlowContainer({
    version,
    config,
    httpServer: options.httpServer,
    socketPath,
    authenticate: hooks.authenticate,
    authorize: hooks.authorize,
    onSessionOpened: guarded(hooks.onSessionOpened, log),
    onSaved: guarded(hooks.onSaved, log),
    store: options.store,
    ordering: options.ordering,
    clock,
    log,
    phase: () => phase,
  });
  const { redis, storeInstances, redisInstances, guard, adapter, store, accessFollower, identity } = cradle;
  const { folder, openSessions, socketEdge, gauges } = cradle;

  const lifecycle = new Lifecycle({
    clock,
    log,
    parts: [
      ...(redis ? [{ name: 'Redis', start: () => redis.start(), stop: () => redis.stop() }] : []),
      { name: 'document store', start: () => store.start(), stop: () => store.stop() },
      { name: 'access follower', start: () => accessFollower.start(), stop: () => accessFollower.stop() },
      { name: 'client identity', start: () => identity.start() },
      // One after the other, so that two that wait never wait for each other.
      ...partsOf('instances on this store', storeInstances, guard),
      ...partsOf('instances on this Redis', redisInstances, guard),
      ...(adapter ? [{ name: 'Socket.IO adapter', start: () => adapter.start(), stop: () => adapter.stop() }] : []),
      { name: 'document folder', start: () => folder.start(), stop: () => folder.stop() },
      { name: 'open sessions', start: () => openSessions.start(), stop: () => openSessions.stop() },
      { name: 'gauges', start: () => gauges.start(), stop: () => gauges.stop() },
      { name: 'socket edge', start: () => socketEdge.start(), stop: () => socketEdge.stop() },
    ],
  });

  async function drainAndStop(): Promise<StopReport> {
    phase = 'draining';
    const endsAt = clock.monotonic() + config.stopDeadlineMs;
    socketEdge.announceDraining();
    const report = await openSessions.drain(config.stopDeadlineMs * DRAIN_SHARE);
    if (report.unsavedSessions.length > 0)
      log.error({ ...report }, 'stopping although the store did not take everything');
    await lifecycle.stop(Math.max(0, endsAt - clock.monotonic()));
    return report;
  }

  let pages: Router | undefined;
  let stopping: Promise<StopReport> | undefined;
  return {
    router: createHttpRouter({
      ...cradle,
      instanceId: config.instanceId,
      version,
      backends: config.backends,
      configured: config.configured,
      phase: () => phase,
      startedAtMonotonic: clock.monotonic(),
      warnings: options.warnings ?? new RecentWarnings({ clock }),
      saveStallMs: config.saveStallMs,
      httpLimits: config,
      trustProxy: config.trustProxy,
      maxBatchBytes: config.maxBatchBytes,
      maxInFlightBatches: config.maxInFlightBatches,
    }),
    get pages() {
      const auth = hooks.authenticate || config.authMode === 'jwt' ? 'token' : 'open';
      return (pages ??= createPages({ auth, socketPath, version }));
    },
    async start() {
      logBackends(config, log);
      if (!hooks.authenticate) logAccess(config, log);
      await lifecycle.start(config.stopDeadlineMs);
      phase = 'ready';
    },
    accessChanged: (sessionId, userId) => cradle.authorisation.changed(sessionId, userId),
    stop: () => (stopping ??= drainAndStop()),
  };
}

/** Known to others from here on, and beside those it may run beside. */
function partsOf(name: string, registry: InstanceRegistry | null, guard: InstanceGuard): Part[] {
  if (!registry) return [];
  return [
    { name, start: () => registry.start(), stop: () => registry.stop() },
    { name: `guard of ${name}`, start: () => guard.pass(registry) },
  ];
}

/** A fault of an application's hook, thrown or rejected, is the application's, and must not stop saving. */
function guarded<Event>(hook: ((event: Event) => void) | undefined, log: Logger): ((event: Event) => void) | undefined {
  if (!hook) return undefined;
  return (event) => {
    const done = (async () => hook(event))();
    done.catch((fault: unknown) => log.error({ err: fault }, 'a hook failed'));
  };
}

/** What nobody should overlook, at every start. */
function logAccess({ authMode, authAudience }: Config, log: Logger): void {
  switch (authMode) {
    case 'open':
      log.warn('AUTH_MODE=open: everyone is let in by the name they give');
      return;
    case 'jwt':
      if (authAudience !== undefined) return;
      log.warn('AUTH_AUDIENCE is not set: tokens that were issued for other services are accepted, too');
  }
}

function logBackends({ backends }: Config, log: Logger): void {
  for (const service of serviceNames) {
    const backend = backends[service];
    log.info({ service, backend }, backendLine(service, backend));
  }
}
