import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../protocol/errors';
import { forEachService } from '../protocol/services';
import {
  clientCredentials,
  format,
  linkAccess,
  mark,
  replies,
  requests,
  role,
  sessionId,
  sessionInfo,
  userId,
} from '../protocol/schemas';

/** Every HTTP request and reply that the wire of the sockets does not have already. */

export const entry = replies['operation:catch-up'].shape.entries.element;
const { title } = sessionInfo.shape;

/** Query values come as text. */
const wholeNumber = <T extends z.ZodType>(schema: T) => z.preprocess(readWholeNumber, schema);
const count = z.int().min(0);
const milliseconds = z.number().min(0);

export const sessionParams = z.strictObject({ sessionId });
export const roleParams = z.strictObject({ sessionId, userId });
export const roleBody = z.strictObject({ role });
export const linkBody = z.strictObject({ role: linkAccess });

export const listQuery = z.strictObject({
  limit: wholeNumber(z.int().min(1).max(200)).default(50),
  after: sessionId.optional().describe('`next` of the page before'),
});
export const sessionReply = z.strictObject({ session: sessionInfo });
export const ownSessionReply = z.strictObject({ session: sessionInfo, role: role.describe("the caller's") });
export const sessionList = z.strictObject({
  sessions: z.array(sessionInfo),
  next: sessionId.nullable().describe('null at the end; a page may hold fewer than `limit` before it'),
});
export const renameBody = z.strictObject({ title });
export const duplicateBody = z.strictObject({
  sessionId: sessionId.optional(),
  title: title.optional(),
  link: requests['session:create'].shape.link,
});

export const documentQuery = z.strictObject({
  as: z.enum(['text', 'json', 'update']).optional().describe('default: text of a yjs session, json of a json session'),
  field: z.string().max(256).default('content').describe('name of the shared type in a Yjs document'),
});
export const documentReply = z.union([
  z.strictObject({
    head: mark,
    field: z.string(),
    content: z.unknown().describe('what the shared type holds'),
  }),
  z.strictObject({
    snapshot: mark.extend({ payload: z.unknown() }).nullable(),
    operations: z.array(z.unknown()).describe('everything after the snapshot, in order'),
    head: mark,
  }),
]);

export const appendBody = requests['operation:submit']
  .omit({ sessionId: true, ref: true })
  .extend({ client: clientCredentials.optional().describe('of an earlier reply; without it one is issued') });
export const appendReply = replies['operation:submit'].extend({ client: clientCredentials });

export const historyQuery = z.strictObject({
  after: wholeNumber(entry.shape.seq).default(0).describe('a seq; `next` of the page before'),
  limit: wholeNumber(z.int().min(1).max(1_000)).default(100).describe('most entries of a page'),
});
export const historyReply = z.strictObject({
  entries: z.array(entry).describe('whole batches, in order; a large page ends before `limit`'),
  next: entry.shape.seq.nullable().describe('continue after it; null at the head'),
  head: entry.shape.seq,
  saved: entry.shape.seq.describe('entries at or below it are in the durable store'),
  prunedThrough: entry.shape.seq
    .optional()
    .describe('entries after `after`, up to this seq, are no longer kept; the document still holds what they did'),
});

const time = z.int().describe('milliseconds since 1970');
const device = z.strictObject({
  deviceId: z.string(),
  label: z.string().describe('what the device says of itself'),
  address: z.string().describe('where it was seen last'),
  firstSeenAt: time,
  lastSeenAt: time,
  isCurrent: z.boolean().describe('it is the one that asks'),
});
export const deviceList = z.strictObject({ devices: z.array(device) });
export const deviceParams = z.strictObject({ deviceId: sessionId });
export const revokeQuery = z.strictObject({
  current: z.enum(['true', 'false']).default('false').describe('also the device that asks'),
});

const reason = z.discriminatedUnion('code', [
  z.strictObject({ code: z.literal('starting'), message: z.string() }),
  z.strictObject({ code: z.literal('another-instance'), message: z.string() }),
  z.strictObject({ code: z.literal('draining'), message: z.string() }),
  z.strictObject({ code: z.literal('store-missing'), message: z.string() }),
  z.strictObject({
    code: z.literal('saving-stalled'),
    message: z.string(),
    unsavedSessions: count,
    oldestUnsavedMs: milliseconds,
    failure: z.string().optional().describe('what the store said last'),
  }),
  z.strictObject({ code: z.literal('sessions-taken-over'), message: z.string(), sessions: count }),
  z.strictObject({ code: z.literal('redis-unavailable'), message: z.string() }),
]);
export type Reason = z.infer<typeof reason>;

const backend = z.enum(['memory', 'redis']);
const serviceHealth = z.strictObject({
  backend,
  configured: backend,
  status: z.enum(['ok', 'degraded']),
});
const services = z.strictObject(forEachService(() => serviceHealth));
const redisHealth = z.strictObject({
  mode: z.enum(['none', 'single', 'sentinel', 'cluster']).describe('none: no service is on Redis'),
  status: z.enum(['ok', 'unavailable', 'unused']),
  latencyMs: milliseconds.optional().describe('of the last operation'),
});
export const health = z.strictObject({
  status: z.enum(['ok', 'degraded', 'unavailable']),
  instanceId: z.string(),
  version: z.string(),
  uptimeSeconds: count,
  services,
  store: z.strictObject({
    kind: z.string(),
    durability: z.enum(['fsync', 'buffered', 'none']).describe('what `saved` survives'),
    status: z.enum(['ok', 'failing', 'stalled', 'older']),
    olderThanHotLog: count.describe('sessions refused because less is stored of them than was saved'),
    unsavedSessions: count,
    oldestUnsavedMs: milliseconds.describe('how long the oldest unsaved operation has waited'),
    failure: z.string().optional().describe('what the store said last, while it fails'),
  }),
  redis: redisHealth,
  reasons: z.array(reason).describe('why /health/ready fails, if it does'),
});

export const live = z.strictObject({ status: z.literal('ok') });

export const readiness = z.strictObject({ ready: z.boolean(), reasons: z.array(reason) });

const percentiles = z.strictObject({ p50: milliseconds, p99: milliseconds });
const recentPercentiles = percentiles.extend({ count, p95: milliseconds });
const latenciesOf = <T extends z.ZodType>(schema: T) =>
  z.strictObject({ orderMs: schema, saveMs: schema, deliverMs: schema, redisMs: schema });
const liveInstance = z.strictObject({
  instanceId: z.string(),
  host: z.string(),
  version: z.string(),
  startedAt: time,
  isServing: z.boolean().describe('false: it waits until others are gone'),
  isThis: z.boolean().describe('it is the one that answers'),
  connections: count,
  users: count,
});
const warning = z.strictObject({
  level: z.enum(['warn', 'error', 'fatal']),
  component: z.string().optional(),
  message: z.string(),
  fault: z.string().optional().describe('code of what went wrong'),
  count: z.int().min(1).describe('how often, since `firstAt`'),
  firstAt: time,
  lastAt: time,
});
const backends = z.strictObject(forEachService(() => backend));
export const stats = z.strictObject({
  instanceId: z.string(),
  at: time.describe('when this was so, by the clock of the server'),
  backends,
  connections: z.strictObject({ local: count, cluster: count, slowConsumersCut: count }),
  users: count,
  sessions: z.strictObject({ open: count, participants: count }),
  operations: z.strictObject({
    ordered: count,
    delivered: count,
    saved: count,
    perSecond: z.number().min(0).describe('ordered, over the last ten seconds'),
    duplicates: count,
    refused: count,
    gapsRepaired: count,
    forks: count,
  }),
  limits: z.strictObject({
    refused: count.describe('requests and connections that were RATE_LIMITED'),
    connectionsCut: count.describe('connections that were ended because they ignored that'),
  }),
  redis: redisHealth,
  health: health.describe('what /health says, of the same moment'),
  latency: latenciesOf(percentiles).optional().describe('since the start; for administrators'),
  recentLatency: latenciesOf(recentPercentiles)
    .optional()
    .describe('over the last ten to twenty seconds; for administrators'),
  instances: z
    .array(liveInstance)
    .optional()
    .describe('this one and all that share its Redis or its store; for administrators'),
  warnings: z
    .array(warning)
    .optional()
    .describe('what was logged last as a warning or worse, the newest first; for administrators'),
  eventLoop: z.strictObject({ lagMsP99: milliseconds }).optional().describe('for administrators'),
});

const isErrorCode = (name: string): name is ErrorCode => Object.hasOwn(ERRORS, name);
export const errorCodes: readonly ErrorCode[] = Object.keys(ERRORS).filter(isErrorCode);

export const errorReply = z.strictObject({
  error: z.strictObject({
    code: z.enum(errorCodes),
    message: z.string().describe('for people; programs look at `code` and `action`'),
    action: z.enum(['resend', 'rebase', 'rejoin', 'wait', 'stop']).describe('what the caller does about it'),
    retryAfterMs: count.optional(),
    expected: count.optional().describe('CLIENT_SEQ_GAP: the clientSeq the server waits for'),
    head: mark.optional().describe('STALE_BASE: where the document is now'),
    errorId: z.string().optional().describe('INTERNAL: the id under which the log has the cause'),
  }),
});

export const openApi = z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) });

/** Schemas that the reference shows under a name of their own. */
export const namedSchemas = {
  Session: sessionInfo,
  Format: format,
  Role: role,
  Mark: mark,
  Entry: entry,
  ClientCredentials: clientCredentials,
} as const;

function readWholeNumber(text: unknown, context: z.RefinementCtx): unknown {
  if (typeof text === 'string' && /^-?\d{1,16}$/.test(text)) return Number(text);
  context.addIssue({ code: 'custom', message: 'must be a whole number' });
  return z.NEVER;
}
