import { join } from 'node:path';
import { asFunction } from 'awilix';
import { Documents } from '../live/documents';
import type { LiveServices } from '../live/live-services';
import { OlderStores } from '../live/older-stores';
import { OpenSessions } from '../live/open-sessions';
import { Saver } from '../live/saver';
import { SlowConsumers } from '../live/slow-consumers';
import { Snapshotter } from '../live/snapshotter';
import { HotLogFiles } from '../ordering/hot-log-file';
import type { AccessCradle } from './access';
import type { ConnectionsCradle } from './connections';
import type { GivenCradle } from './given';
import type { InstancesCradle } from './instances';
import type { OrderingCradle } from './ordering';
import type { Registrations } from './registrations';
import type { SessionsCradle } from './sessions';
import type { StorageCradle } from './storage';
import type { TelemetryCradle } from './telemetry';

export interface LiveCradle {
  readonly saver: Saver;
  readonly snapshotter: Snapshotter;
  /** Null: documents end with the process, and a store that is empty again is not too old. */
  readonly olderStores: OlderStores | null;
  readonly slowConsumers: SlowConsumers;
  readonly openSessions: OpenSessions;
  readonly documents: Documents;
}

type Cradle = LiveCradle &
  GivenCradle &
  TelemetryCradle &
  AccessCradle &
  ConnectionsCradle &
  InstancesCradle &
  OrderingCradle &
  SessionsCradle &
  StorageCradle;

const MS_PER_DAY = 86_400_000;
/** Two may fail before what Redis shows of an open session ends. */
const TOUCHES_PER_TTL = 3;
/** Folder of exported hot logs in DOCUMENT_DIR. */
const EXPORTS = 'exports';

export const liveRegistrations: Registrations<LiveCradle> = {
  saver: asFunction(
    ({ store, clock, telemetry, log, config }: Cradle) =>
      new Saver({ operationLog: store.operationLog, clock, telemetry, log, intervalMs: config.saveIntervalMs }),
  ).singleton(),
  snapshotter: asFunction(
    ({ store, folder, clock, log, config }: Cradle) =>
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
    ({ sockets, telemetry, log, config }: Cradle) =>
      new SlowConsumers({ sockets, telemetry, log, maxUnreadBytes: config.slowConsumerBytes }),
  ).singleton(),
  openSessions: asFunction(makeOpenSessions).singleton(),
  documents: asFunction(
    ({ openSessions, ordering, store }: Cradle) =>
      new Documents({ openSessions, ordering, operationLog: store.operationLog, snapshots: store.snapshots }),
  ).singleton(),
};

function chooseOlderStores({ config, store, ordering, clock, log }: Cradle): OlderStores | null {
  if (store.operationLog.durability === 'none') return null;
  return new OlderStores({ ordering, files: new HotLogFiles(join(config.documentDir, EXPORTS)), clock, log });
}

function makeOpenSessions(cradle: Cradle): OpenSessions {
  const { given, config, collaboration, roleChanges } = cradle;
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
