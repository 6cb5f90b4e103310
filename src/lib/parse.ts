import type { z } from 'zod';
import { FlowError } from '../protocol/errors';

/** Of a message that quotes what was sent: a key of it may be as long as all of it. */
const MAX_MESSAGE_CHARS = 300;

/** What came in, if it matches the schema; otherwise throws BAD_REQUEST, which says what the matter is and where. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FlowError('BAD_REQUEST', faultOf(parsed.error).slice(0, MAX_MESSAGE_CHARS));
}

/** The first thing that does not match, and where it is. */
export function faultOf({ issues: [issue] }: z.ZodError): string {
  const where = issue?.path.map(String).join('.');
  return `${where ? `${where}: ` : ''}${issue?.message ?? 'malformed'}`;
}

/** What somebody else wrote down as JSON; null: it does not match the schema, or is no JSON. */
export function readJson<S extends z.ZodType>(schema: S, text: unknown): z.output<S> | null {
  if (typeof text !== 'string') return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
