import { FlowError } from '../protocol/errors';
import { role as roleSchema, type RequestName, type Role } from '../protocol/schemas';

const EVERYBODY: readonly Role[] = roleSchema.options;

/** What can be done in a session, and who may (AC1). Administrators count as owners. */
const ALLOWED = {
  /** Join, read the document and its history, be among the participants. */
  read: EVERYBODY,
  /** Show a cursor. */
  point: EVERYBODY,
  /** Make a session of one's own with the same document. */
  copy: EVERYBODY,
  /** Change the document, or offer a snapshot of it. */
  write: ['owner', 'editor'],
  rename: ['owner', 'editor'],
  /** See with whom it is shared. */
  'list roles': ['owner', 'editor'],
  'set roles': ['owner'],
  close: ['owner'],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof ALLOWED;

/** What each request of the wire does in a session; null: it needs no role in one. Endpoints of HTTP say the same of themselves. */
export const REQUEST_ACTIONS = {
  'auth:renew': null,
  'session:create': null,
  'session:join': 'read',
  'session:leave': null,
  'session:snapshot': 'write',
  'role:list': 'list roles',
  'role:set': 'set roles',
  'operation:submit': 'write',
  'operation:catch-up': 'read',
  'awareness:update': 'point',
} as const satisfies Record<RequestName, Action | null>;

/** Throws SESSION_NOT_FOUND for who must not know of the session, and FORBIDDEN for who may, but not do this. */
export function demandMay(role: Role | null, action: Action): asserts role is Role {
  if (!role) throw new FlowError('SESSION_NOT_FOUND');
  const allowed: readonly Role[] = ALLOWED[action];
  if (!allowed.includes(role))
    throw new FlowError('FORBIDDEN', `The role ${role} may not do this; it takes: ${allowed.join(', ')}.`);
}

/** Of the role that was given and the one that the link gives, the one that allows more. */
export function strongerOf(one: Role | null, other: Role | null): Role | null {
  const rank = (role: Role | null): number => (role ? EVERYBODY.indexOf(role) : EVERYBODY.length);
  return rank(one) <= rank(other) ? one : other;
}
