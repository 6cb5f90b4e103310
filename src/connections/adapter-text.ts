import { PacketType } from 'socket.io-parser';
import { z } from 'zod';
import { readJson } from '../lib/parse';

/** An event for rooms, as the adapter publishes it: whose it is, what it says, and to whom. */
const published = z.tuple([
  z.string(),
  z.object({ type: z.literal(PacketType.EVENT), nsp: z.string(), data: z.tuple([z.string()], z.unknown()) }),
  z.object({
    rooms: z.array(z.string()),
    except: z.array(z.string()),
    flags: z.object({ volatile: z.boolean(), compress: z.boolean() }).partial().optional(),
  }),
]);

/** The adapter takes this for a message about nothing, and passes it over. */
const NOTHING: readonly unknown[] = [];

/** How events travel between instances: JSON, because that is what all our payloads are. Reading never throws. */
export const adapterText = {
  encode: (message: unknown): string => JSON.stringify(message),

  decode: (message: Buffer): readonly unknown[] => readJson(published, message.toString()) ?? NOTHING,
};

/** What instances ask of each other is this and nothing else: to emit something on the server itself, with nobody waiting. */
const request = z.strictObject({
  uid: z.string(),
  type: z.literal(6),
  data: z.tuple([z.string()], z.unknown()),
});

/** Whether the adapter may see this message. Of requests, it knows some that would disconnect everyone. */
export const isRequest = (message: Buffer): boolean => readJson(request, message.toString()) !== null;
