import { z } from 'zod';
import type { Action } from '../access/permissions';
import type { ErrorCode } from '../protocol/errors';
import { accessList, requests } from '../protocol/schemas';
import * as schemas from './schemas';

/**
 * One request and its reply, as data. Routing, checking, the OpenAPI description and the reference page all read this; a
 * handler exists only for an endpoint (`serve`).
 */
export interface Endpoint {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Parameters as Express writes them: `:sessionId`. */
  readonly path: string;
  readonly summary: string;
  /** `user`: asks who calls, and is there only while the server is ready. `tiered`: public, with more for administrators. */
  readonly access: 'public' | 'tiered' | 'user';
  /** What it does in the session of its path, which takes a role there (AC1); null: it has none. */
  readonly action: Action | null;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  /** The event of the sockets that does the same: a user's allowance is one. */
  readonly countsAs?: 'operation:submit' | 'session:create';
  /** JSON, or `nothing`. */
  readonly body: z.ZodType;
  /** `batch`: a body may be as large as a batch of operations. */
  readonly bodySize: 'small' | 'batch';
  /** Status → when. The first one is the usual one. */
  readonly statuses: Readonly<Record<number, string>>;
  /** The JSON reply, or `nothing`. */
  readonly reply: z.ZodType;
  /** Media types other than JSON that the reply may have, and what they hold. */
  readonly otherMedia: Readonly<Record<string, string>>;
  readonly replyHeaders: Readonly<Record<string, string>>;
  /** Refusals of its own, besides those that any endpoint with this access may answer with. */
  readonly errors: readonly ErrorCode[];
}

export const nothing = z.undefined();

/** What an endpoint has unless it says otherwise. */
const plain = {
  access: 'user',
  action: null,
  params: z.strictObject({}),
  query: z.strictObject({}),
  body: nothing,
  bodySize: 'small',
  statuses: { 200: 'done' },
  otherMedia: {},
  replyHeaders: {},
  errors: [],
} as const;

const ofSession = { ...plain, action: 'read', params: schemas.sessionParams } as const;

export const endpoints = {
  health: {
    ...plain,
    method: 'get',
    path: '/health',
    summary: 'How the server and what it depends on are doing.',
    access: 'public',
    statuses: { 200: 'ok or degraded', 503: 'unavailable' },
    reply: schemas.health,
  },
  live: {
    ...plain,
    method: 'get',
    path: '/health/live',
    summary: 'Answers while the event loop turns: restart the process when it does not.',
    access: 'public',
    reply: schemas.live,
  },
  ready: {
    ...plain,
    method: 'get',
    path: '/health/ready',
    summary: 'Whether this instance should get traffic, and if not, why.',
    access: 'public',
    statuses: { 200: 'ready', 503: 'not ready; `reasons` say why' },
    reply: schemas.readiness,
  },
  stats: {
    ...plain,
    method: 'get',
    path: '/ws/stats',
    summary:
      'Connections, sessions, operations and health of this instance; for administrators latencies, instances and warnings, too.',
    access: 'tiered',
    reply: schemas.stats,
  },
  createSession: {
    ...plain,
    method: 'post',
    path: '/api/sessions',
    summary: 'Creates a session.',
    countsAs: 'session:create',
    body: requests['session:create'],
    statuses: { 201: 'created' },
    reply: schemas.sessionReply,
    replyHeaders: { Location: 'where the session is' },
    errors: ['SESSION_EXISTS'],
  },
  listSessions: {
    ...plain,
    method: 'get',
    path: '/api/sessions',
    summary: 'The open sessions that the caller was given a role in, in order of id, in pages.',
    query: schemas.listQuery,
    reply: schemas.sessionList,
  },
  readSession: {
    ...ofSession,
    method: 'get',
    path: '/api/sessions/:sessionId',
    summary: 'One session and the role the caller has in it.',
    reply: schemas.ownSessionReply,
    errors: ['SESSION_NOT_FOUND'],
  },
  renameSession: {
    ...ofSession,
    method: 'patch',
    path: '/api/sessions/:sessionId',
    action: 'rename',
    summary: 'Renames a session. For editors and owners.',
    body: schemas.renameBody,
    reply: schemas.sessionReply,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  closeSession: {
    ...ofSession,
    method: 'delete',
    path: '/api/sessions/:sessionId',
    action: 'close',
    summary: 'Closes a session for everyone. Its history is kept, its id stays taken. For owners.',
    statuses: { 204: 'closed' },
    reply: nothing,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  duplicateSession: {
    ...ofSession,
    method: 'post',
    path: '/api/sessions/:sessionId/duplicate',
    action: 'copy',
    summary: 'A new session, owned by the caller, that begins with the document of this one.',
    countsAs: 'session:create',
    body: schemas.duplicateBody,
    statuses: { 201: 'created' },
    reply: schemas.sessionReply,
    replyHeaders: { Location: 'where the new session is' },
    errors: ['SESSION_NOT_FOUND', 'SESSION_EXISTS'],
  },
  readDocument: {
    ...ofSession,
    method: 'get',
    path: '/api/sessions/:sessionId/document',
    summary:
      'The document as ordered up to now: as text, as JSON, or as one Yjs update. Of a json session: as JSON only.',
    query: schemas.documentQuery,
    statuses: { 200: 'the document', 304: 'it is what If-None-Match names' },
    reply: schemas.documentReply,
    otherMedia: { 'text/plain': 'plain text of the field', 'application/octet-stream': 'a Yjs update' },
    replyHeaders: {
      'Flow-Seq': 'seq of the last operation in the document',
      'Flow-Tag': 'tag there; with Flow-Seq it is the `base` of an append',
      ETag: 'changes with the document',
    },
    errors: ['SESSION_NOT_FOUND'],
  },
  appendOperations: {
    ...ofSession,
    method: 'post',
    path: '/api/sessions/:sessionId/operations',
    action: 'write',
    summary: 'Appends a batch, by the same rules as operation:submit. For editors and owners.',
    countsAs: 'operation:submit',
    body: schemas.appendBody,
    bodySize: 'batch',
    statuses: { 200: 'ordered' },
    reply: schemas.appendReply,
    errors: [
      'SESSION_NOT_FOUND',
      'FORBIDDEN',
      'CLIENT_INVALID',
      'CLIENT_UNKNOWN',
      'CLIENT_SEQ_GAP',
      'CLIENT_SEQ_CONFLICT',
      'STALE_BASE',
      'NOT_DELIVERED',
    ],
  },
  readHistory: {
    ...ofSession,
    method: 'get',
    path: '/api/sessions/:sessionId/operations',
    summary: 'The history of a session, in pages.',
    query: schemas.historyQuery,
    reply: schemas.historyReply,
    errors: ['SESSION_NOT_FOUND'],
  },
  listRoles: {
    ...ofSession,
    method: 'get',
    path: '/api/sessions/:sessionId/roles',
    action: 'list roles',
    summary: 'Who was given which role in a session, and what its link gives. For editors and owners.',
    reply: accessList,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  setRole: {
    ...ofSession,
    method: 'put',
    path: '/api/sessions/:sessionId/roles/:userId',
    action: 'set roles',
    summary: 'Gives a user a role. It holds everywhere within a second. For owners.',
    params: schemas.roleParams,
    body: schemas.roleBody,
    reply: accessList,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  removeRole: {
    ...ofSession,
    method: 'delete',
    path: '/api/sessions/:sessionId/roles/:userId',
    action: 'set roles',
    summary: 'Takes the role of a user away; what the link gives stays. For owners.',
    params: schemas.roleParams,
    statuses: { 204: 'taken away, or there was none' },
    reply: nothing,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  setLink: {
    ...ofSession,
    method: 'put',
    path: '/api/sessions/:sessionId/link',
    action: 'set roles',
    summary: 'Sets what everybody is who knows the id of a session. For owners.',
    body: schemas.linkBody,
    reply: accessList,
    errors: ['SESSION_NOT_FOUND', 'FORBIDDEN'],
  },
  listDevices: {
    ...plain,
    method: 'get',
    path: '/api/me/devices',
    summary: 'Where the caller is signed in, the device used last first.',
    reply: schemas.deviceList,
  },
  revokeDevice: {
    ...plain,
    method: 'delete',
    path: '/api/me/devices/:deviceId',
    summary: 'Signs a device of the caller out: its connections end, its tokens are no longer accepted.',
    params: schemas.deviceParams,
    statuses: { 204: 'signed out' },
    reply: nothing,
  },
  revokeDevices: {
    ...plain,
    method: 'delete',
    path: '/api/me/devices',
    summary: 'Signs all other devices of the caller out, and with current=true this one, too.',
    query: schemas.revokeQuery,
    statuses: { 204: 'signed out' },
    reply: nothing,
  },
  openApi: {
    ...plain,
    method: 'get',
    path: '/openapi.json',
    summary: 'This reference as an OpenAPI 3.0 description.',
    access: 'public',
    reply: schemas.openApi,
  },
  docs: {
    ...plain,
    method: 'get',
    path: '/docs',
    summary: 'This reference as a page to read.',
    access: 'public',
    reply: nothing,
    otherMedia: { 'text/html': 'a page without scripts' },
  },
} as const satisfies Record<string, Endpoint>;

export type EndpointName = keyof typeof endpoints;

/** What any request may be refused with. */
export function errorsOf({ access, method, errors }: Endpoint): readonly ErrorCode[] {
  if (access === 'public') return ['BAD_REQUEST', 'INTERNAL'];
  if (access === 'tiered') return ERRORS_OF_ANY_CALL;
  const ofBodies: ErrorCode[] = method === 'get' ? [] : ['TOO_LARGE'];
  return [...new Set<ErrorCode>([...errors, 'FORBIDDEN', ...ofBodies, ...ERRORS_OF_ANY_CALL])];
}

const ERRORS_OF_ANY_CALL: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'RATE_LIMITED',
  'BUSY',
  'BACKEND_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'DRAINING',
  'INTERNAL',
];
