// What the package `flow-backend` gives an application: docs/embedding.md. The client library is `flow-backend/client`.

export { ConfigError } from '../config/load-config';
export type { SettingValues } from '../config/setting-values';
export type { Authenticate, Authorize, Credentials, Identity, User } from './access/access';
export { createFlow, type Flow, type FlowHooks, type FlowOptions } from './flow';
export type { Clock } from './lib/clock';
export { silentLogger, type Logger } from './lib/logger';
export { RecentWarnings } from './lib/recent-warnings';
export type { StopReport } from './live/open-sessions';
export type { AppendResult, EventOrdering, Hint, HotLog, Submission } from './ordering/event-ordering';
export { MemoryEventOrdering } from './ordering/memory-event-ordering';
export { weightOf, type ClientRow, type Entry } from './protocol/entry';
export { ERRORS, FlowError, type ErrorAction, type ErrorCode } from './protocol/errors';
export { GENESIS, isSameMark, type Mark, type Position } from './protocol/positions';
export type { AccessList, Format, LinkAccess, Role, SessionInfo } from './protocol/schemas';
export { isOver, type AccessChange, type AccessChanges, type NumberedChange } from './storage/access-changes';
export { judgeSave, type StoredHistory } from './storage/continuation';
export type { DocumentStore } from './storage/document-store';
export { LmdbDocumentStore } from './storage/lmdb/lmdb-document-store';
export type { LmdbEngineOptions as LmdbDocumentStoreOptions } from './storage/lmdb/lmdb-engine';
export { MemoryDocumentStore } from './storage/memory/memory-document-store';
export type { Durability, OperationLog, SaveResult, SessionSave } from './storage/operation-log';
export type { SessionRecord, SessionRecords } from './storage/session-records';
export {
  MAX_ROLES,
  refusalOf as accessRefusalOf,
  type AccessSetting,
  type SessionRoles,
  type SetAccessResult,
  type StoredAccess,
} from './storage/session-roles';
export type { Snapshot, Snapshots } from './storage/snapshots';
