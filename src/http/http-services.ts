import type { Authentication } from '../access/authentication';
import type { Authorisation } from '../access/authorisation';
import type { DeviceSessions } from '../access/device-sessions';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { Instance } from '../instances/instance';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { OriginRules } from '../lib/origin';
import type { Documents } from '../live/documents';
import type { OlderStores } from '../live/older-stores';
import type { OpenSessions } from '../live/open-sessions';
import type { Saver } from '../live/saver';
import type { Backend, ServiceName } from '../protocol/services';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { DocumentFolder } from '../storage/document-folder';
import type { DocumentStore } from '../storage/document-store';
import type { Gauges } from '../telemetry/gauges';
import type { Telemetry } from '../telemetry/telemetry';
import type { LimitingServices } from './limiting';
import type { RecentWarnings } from '../lib/recent-warnings';

/** What each service that a flag can move runs on. */
export type Backends = Readonly<Record<ServiceName, Backend>>;

/** How the connections to Redis are. */
export interface RedisState {
  readonly mode: 'single' | 'sentinel' | 'cluster';
  readonly status: 'ok' | 'unavailable';
  /** Without credentials. */
  readonly where: string;
  /** Of the last operation, milliseconds. */
  readonly latencyMs: number | undefined;
}

/** What the HTTP side needs of the server. */
export interface HttpServices extends LimitingServices {
  readonly instanceId: string;
  readonly version: string;
  /** What the services run on … */
  readonly backends: Backends;
  /** … and what they should run on. */
  readonly configured: Backends;
  readonly collaboration: CollaborationService;
  readonly openSessions: OpenSessions;
  readonly documents: Documents;
  readonly folder: DocumentFolder;
  readonly sockets: WebSocketManager;
  readonly store: DocumentStore;
  /** Null: no service is on Redis. */
  readonly redis: RedisState | null;
  /** Null: documents end with the process. */
  readonly olderStores: Pick<OlderStores, 'size'> | null;
  /** Why this instance waits for another one; null: it does not. */
  readonly guard: { readonly reason: string | null };
  readonly saver: Saver;
  readonly telemetry: Telemetry;
  readonly gauges: Gauges;
  /** This instance and those it shares Redis or the store with, as far as that is known now. Never rejects. */
  readonly liveInstances: () => Promise<readonly Instance[]>;
  readonly warnings: Pick<RecentWarnings, 'newestFirst'>;
  readonly clock: Clock;
  /** By `clock.monotonic`. */
  readonly startedAtMonotonic: number;
  readonly log: Logger;
  readonly authentication: Authentication;
  readonly deviceSessions: DeviceSessions;
  readonly authorisation: Authorisation;
  readonly phase: () => 'starting' | 'ready' | 'draining';
  /** Saving stands still for this long: the instance is not ready (ST7). */
  readonly saveStallMs: number;
  readonly originRules: OriginRules;
  readonly maxBatchBytes: number;
  readonly maxInFlightBatches: number;
}
