import { z } from 'zod';
import { readJson } from '../lib/parse';

const onWhat = z.record(z.string(), z.string());

/** A later version may say more. */
const instance = z.object({
  instanceId: z.string(),
  /** For people. */
  host: z.string(),
  process: z.object({ space: z.string(), pid: z.int(), birth: z.string() }),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  version: z.string(),
  /** Service → what it runs on. */
  backends: onWhat,
  /** Service → what its flag asks for; not the same where Redis could not be reached at start. */
  configured: onWhat,
  /** Which documents: who has the same one has the same store. */
  store: z.string(),
  /** It may let clients in; one that does not waits for others to be gone. */
  isServing: z.boolean(),
  /** Connections now. */
  connections: z.int(),
  /** Different users connected now. */
  users: z.int(),
});

/** What a running server says of itself. */
export type Instance = Readonly<z.infer<typeof instance>>;

export const writeInstance = (said: Instance): string => JSON.stringify(said);

/** Null: it is no description of an instance. */
export const readInstance = (text: string): Instance | null => readJson(instance, text);
