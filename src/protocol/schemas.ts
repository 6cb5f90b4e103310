import { z } from 'zod';
import type { WireError } from './errors';

/** Every request and its reply. Requests are parsed at the edge with these; the types below are inferred from them. */

// In the path of an address `.` and `..` mean another path: browsers and fetch ask for that one.
const id = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 . _ ~ -, and not . or ..');
/** clientSeq and seq stay far enough below 2^53 that adding a batch is exact. */
const sequence = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER - 1_000_000);
const tag = z.string().regex(/^(?:[0-9a-f]{16})?$/, 'must be 16 hex digits, or empty before the first operation');
const title = z.string().max(256);
/** A stored operation is any JSON value; what a format demands of it is checked against the session. */
const payload = z.unknown();

export const sessionId = id;
export const mark = z.strictObject({ seq: sequence, tag });
export const format = z.enum(['yjs', 'json']);
export const role = z.enum(['owner', 'editor', 'commenter', 'viewer']);
/** What a session's link gives to everybody who is let in; `none`: only who was given a role may know of the session. */
export const linkAccess = z.enum(['none', 'viewer', 'commenter', 'editor']);
/** Part of keys and log lines: no control characters, no lone surrogates. */
export const userId = z.string().regex(/^[^\p{C}]{1,256}$/u, 'must be 1 to 256 characters that can be seen');
export const clientCredentials = z.strictObject({ clientId: id, signature: z.string().max(128) });

/** What a session is to its readers. */
export const sessionInfo = z.strictObject({
  sessionId: id,
  title,
  format,
  createdBy: z.string(),
  createdAt: z.int().describe('milliseconds since 1970'),
  updatedAt: z.int().describe('milliseconds since 1970: created, renamed'),
});

export const participant = z.strictObject({
  connectionId: z.string(),
  clientId: id,
  userId: z.string(),
  role,
});

/** A client's replica id in an awareness protocol: Yjs uses unsigned 32-bit numbers, others may name theirs. */
// States travel as an object by this id, where `__proto__` would not be a key like any other.
export const awarenessId = z.string().regex(/^(?!__proto__$)[A-Za-z0-9._~-]{1,64}$/);
export const awarenessState = z.strictObject({ clock: sequence, state: z.unknown() });
export const awarenessStates = z.record(awarenessId, awarenessState);

/** From when on somebody is nobody any more, and how long that is: clocks differ. */
const expiry = {
  expiresAt: z.int().describe('milliseconds since 1970'),
  expiresInMs: z.int().min(0),
};

export const requests = {
  'auth:renew': z.strictObject({ token: z.string().max(8_192) }),
  'session:create': z.strictObject({
    sessionId: id.optional(),
    title: title.optional(),
    format: format.default('yjs'),
    link: linkAccess.optional().describe('unless given: editor with AUTH_MODE=open, else none'),
  }),
  'session:join': z.strictObject({
    sessionId: id,
    client: clientCredentials.optional(),
    have: z
      .strictObject({ epoch: z.int().min(0), head: mark, saved: mark })
      .optional()
      .describe('the last epoch heard of, the last mark delivered, the newest known mark at or below saved'),
    stateVector: z.base64().max(1_048_576).optional().describe('base64 Yjs state vector'),
  }),
  'session:leave': z.strictObject({ sessionId: id }),
  'session:snapshot': z.strictObject({ sessionId: id, seq: sequence, tag, payload }),
  'role:list': z.strictObject({ sessionId: id }),
  'role:set': z
    .strictObject({
      sessionId: id,
      userId: userId.optional().describe('whose role is set'),
      link: z.literal(true).optional().describe('instead of userId: what the link gives is set'),
      role: z.enum([...role.options, 'none']).describe('none takes it away; a link does not make owners'),
    })
    .refine(
      ({ userId: whose, link, role: given }) =>
        (whose === undefined) === (link ?? false) && !(link && given === 'owner'),
      {
        error: 'must name a userId and a role or none, or link: true and a role or none, but not owner',
      },
    ),
  // Parsed with every keystroke and every move of a cursor: compiled, a tenth of the cost.
  'operation:submit': z.compile(
    z.strictObject({
      sessionId: id,
      clientSeq: sequence.min(1).describe("the first operation's"),
      operations: z.array(payload).min(1),
      base: mark.optional(),
      ref: sequence.optional().describe('of a submit without acknowledgement: what `operation:answer` repeats'),
    }),
  ),
  'operation:catch-up': z.strictObject({ sessionId: id, after: mark, limit: z.int().min(1).max(10_000).optional() }),
  'awareness:update': z.compile(z.strictObject({ sessionId: id, awarenessId, clock: sequence, state: z.unknown() })),
} as const;

const position = z.strictObject({ epoch: z.int(), seq: sequence, tag });
const wireEntry = z.strictObject({
  epoch: z.int(),
  seq: sequence,
  clientId: id,
  clientSeq: sequence,
  userId: z.string(),
  at: z.int(),
  operations: z.array(payload),
});
const snapshot = z.strictObject({ seq: sequence, tag, payload });

export const accessList = z.strictObject({
  roles: z.array(z.strictObject({ userId: z.string(), role })).describe('in order of userId'),
  link: linkAccess.describe('what everybody has who knows the id'),
});

const placed = z.strictObject({ epoch: z.int(), seq: sequence, duplicate: z.literal(true).optional() });
const wireError = z.strictObject({
  code: z.string(),
  message: z.string(),
  action: z.enum(['resend', 'rebase', 'rejoin', 'wait', 'stop']),
  retryAfterMs: z.number().optional(),
  expected: sequence.optional(),
  head: mark.optional(),
  errorId: z.string().optional(),
});

/** The ok half of each acknowledgement, without `status: 'ok'`. */
export const replies = {
  'auth:renew': z.strictObject(expiry).partial().describe('empty: it does not end'),
  'session:create': z.strictObject({ session: sessionInfo }),
  'session:join': z.strictObject({
    session: sessionInfo,
    client: z.strictObject({ clientId: id, signature: z.string(), lastClientSeq: sequence }),
    role,
    head: position,
    saved: position,
    resume: z.union([
      z.literal('start'),
      z.literal('continue'),
      z.strictObject({ fork: z.strictObject({ base: mark }) }),
    ]),
    snapshot: snapshot.optional().describe('only with resume start, when there is one'),
    stateVector: z.string().optional().describe("of `snapshot`, when the request had the client's (yjs)"),
    entries: z.array(wireEntry).describe('after what the client has, or after the snapshot'),
    /** The mark after the last of `entries`: where `operation:catch-up` or the first batch continues. */
    next: mark,
    more: z.boolean(),
    participants: z.array(participant),
    awareness: awarenessStates,
    limits: z
      .strictObject({ operationBytes: z.int(), batchOperations: z.int(), batchBytes: z.int() })
      .describe('EO10: what this server takes at most; bytes are those of JSON text'),
  }),
  'session:leave': z.strictObject({}),
  'session:snapshot': z.strictObject({}),
  'role:list': accessList,
  'role:set': accessList,
  'operation:submit': placed,
  'operation:catch-up': z.strictObject({
    entries: z.array(wireEntry),
    head: position,
    next: mark,
    more: z.boolean(),
    /** All of these with the page that lets a connection into the room, and with no other: nobody told it while it paged. */
    saved: position.optional(),
    session: sessionInfo.optional(),
    participants: z.array(participant).optional(),
    awareness: awarenessStates.optional(),
  }),
  'awareness:update': z.strictObject({}),
} as const satisfies { [Name in keyof typeof requests]: z.ZodType };

/** What the server sends of its own accord. */
export const announcements = {
  'auth:expires': z.strictObject(expiry).describe('when this connection ends, unless `auth:renew` comes first'),
  'auth:ended': z.strictObject({ error: wireError }).describe('why this connection ends now'),
  'operation:batch': z.strictObject({
    sessionId: id,
    epoch: z.int(),
    prevSeq: sequence,
    prevTag: tag,
    entries: z.array(wireEntry),
    tag,
    saved: sequence,
  }),
  'operation:saved': z.strictObject({ sessionId: id, epoch: z.int(), saved: sequence, tag }),
  'operation:answer': z
    .strictObject({
      sessionId: id,
      ref: sequence,
      answer: z.discriminatedUnion('status', [
        placed.extend({ status: z.literal('ok') }),
        z.strictObject({ status: z.literal('error'), error: wireError }),
      ]),
    })
    .describe('to a submit with `ref` and without acknowledgement that no batch will confirm'),
  'session:forked': z.strictObject({ sessionId: id, epoch: z.int(), head: mark }),
  'session:participants': z.strictObject({ sessionId: id, joined: z.array(participant), left: z.array(participant) }),
  'session:renamed': z.strictObject({ sessionId: id, title }),
  'session:role': z.strictObject({ sessionId: id, role }).describe('what the connection may do there from now on'),
  'session:closed': z.strictObject({ sessionId: id, reason: z.enum(['closed', 'moved', 'replaced', 'forbidden']) }),
  'awareness:update': z.strictObject({ sessionId: id, states: awarenessStates }),
  'server:draining': z.strictObject({ reconnectAfterMs: z.int() }),
} as const;

export type Requests = { [Name in keyof typeof requests]: z.infer<(typeof requests)[Name]> };
/** What a caller writes: defaults may be left out. */
export type RequestInputs = { [Name in keyof typeof requests]: z.input<(typeof requests)[Name]> };
export type Replies = { [Name in keyof typeof replies]: z.infer<(typeof replies)[Name]> };
export type Announcements = { [Name in keyof typeof announcements]: z.infer<(typeof announcements)[Name]> };
export type RequestName = keyof Requests;
export type AnnouncementName = keyof Announcements;

export type Acknowledgement<Name extends RequestName> =
  | ({ status: 'ok' } & Replies[Name])
  | { status: 'error'; error: WireError };

export type Format = z.infer<typeof format>;
export type Role = z.infer<typeof role>;
export type LinkAccess = z.infer<typeof linkAccess>;
export type AccessList = z.infer<typeof accessList>;
export type SessionInfo = z.infer<typeof sessionInfo>;
export type Participant = z.infer<typeof participant>;
export type AwarenessStates = z.infer<typeof awarenessStates>;
export type ClientCredentials = z.infer<typeof clientCredentials>;
export type WireSnapshot = z.infer<typeof snapshot>;
export type Batch = Announcements['operation:batch'];
