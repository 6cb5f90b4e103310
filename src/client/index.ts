export { FlowError, ERRORS, type ErrorAction, type ErrorCode } from '../protocol/errors';
export { GENESIS, type Mark, type Position } from '../protocol/positions';
export type {
  AccessList,
  AwarenessStates,
  Format,
  LinkAccess,
  Participant,
  Role,
  SessionInfo,
} from '../protocol/schemas';
export type { BackoffOptions } from './backoff';
export { fromBase64, toBase64 } from './base64';
export type { ConnectionStatus } from './connection';
export { FlowClient, type FlowClientOptions } from './flow-client';
export type { HeldCounts } from './held-queue';
export type { DeliveredEntry } from './history';
export { IndexedDbStorage, type IndexedDbStorageOptions } from './indexed-db-storage';
export type { Limits } from './limits';
export { MemoryLocks, MemoryStorage } from './memory-storage';
export type { Proposed } from './proposals';
export type { Placed, Receipt } from './receipt';
export type { HeldOperationView } from './holding';
export type { FlowSession } from './session';
export type { Delivery, SessionEvents } from './session-events';
export type { SessionStatus } from './session-status';
export type { QueueLocks, QueueRecord, QueueStorage } from './stored-queue';
export type { Clock } from './timers';
export { FlowYjsProvider, type FlowYjsProviderEvents, type FlowYjsProviderOptions } from './yjs-provider';
