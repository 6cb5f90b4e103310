import type { ClientIdentity } from '../access/client-identity';
import type { WebSocketManager } from '../connections/websocket-manager';
import type { InstanceBus } from '../instances/instance-bus';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { EventOrdering } from '../ordering/event-ordering';
import type { SaveDuty } from '../ordering/save-duty';
import type { Position } from '../protocol/positions';
import type { Participants } from '../sessions/participants';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshots } from '../storage/snapshots';
import type { Telemetry } from '../telemetry/telemetry';
import type { OlderStores } from './older-stores';
import type { OperationLimits } from './operations';
import type { Saver } from './saver';
import type { SlowConsumers } from './slow-consumers';
import type { Snapshotter } from './snapshotter';
import type { Judge } from './standing';
import type { RingLimits } from './tail';

export interface LiveLimits extends OperationLimits {
  readonly ring: RingLimits;
  /** Of all sessions of this instance (EO10). */
  readonly maxUnsavedBytes: number;
  readonly fanOutIntervalMs: number;
  readonly awarenessIntervalMs: number;
  readonly awarenessBytesPerSecond: number;
  /** In one session, on all instances (LM8); 0: as many as like. */
  readonly maxParticipants: number;
  /** Of one document (LM8); 0: there is no limit. */
  readonly maxDocumentBytes: number;
}

/** What open sessions work with. */
export interface LiveServices {
  readonly ordering: EventOrdering;
  readonly saveDuty: SaveDuty;
  readonly operationLog: OperationLog;
  /** Null: documents are meant to be gone with the process. */
  readonly olderStores: OlderStores | null;
  readonly snapshots: Snapshots;
  readonly folder: DocumentFolder;
  readonly participants: Participants;
  readonly sockets: WebSocketManager;
  readonly bus: InstanceBus;
  readonly identity: ClientIdentity;
  readonly authorisation: Judge;
  readonly saver: Saver;
  readonly snapshotter: Snapshotter;
  readonly slowConsumers: SlowConsumers;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LiveLimits;
  readonly onSaved: ((saved: { sessionId: string } & Position) => void) | undefined;
}
