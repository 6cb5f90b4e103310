import { z } from 'zod';
import { awarenessId, type Participant, participant } from '../protocol/schemas';

/** A connection that has joined a session on some instance. */
export interface Member {
  readonly participant: Participant;
  /** When it joined, in milliseconds by the clock that all instances share. */
  readonly since: number;
}

/** Where somebody points (DL9). */
export interface AwarenessState {
  readonly awarenessId: string;
  readonly clientId: string;
  readonly clock: number;
  readonly state: unknown;
}

// A later version may say more.
const member = z.object({ participant: participant.strip(), since: z.number() });
const state = z.object({ awarenessId, clientId: z.string(), clock: z.int(), state: z.unknown() });
/** An instance in one session, from its first member to its last; it numbers what it tells 1, 2, 3 … */
const teller = z.string();
const number = z.int().min(0);

const message = z.discriminatedUnion('kind', [
  /** I have members now, and know nothing. */
  z.object({ kind: z.literal('begin'), from: teller }),
  /** What is another one since the number before. */
  z.object({
    kind: z.literal('change'),
    from: teller,
    number,
    /** From here on everything is told that there is, until one that `isWhole`. */
    isAnew: z.boolean(),
    isWhole: z.boolean(),
    members: z.array(member),
    /** connectionIds. */
    left: z.array(z.string()),
    states: z.array(state),
    /** awarenessIds. */
    gone: z.array(z.string()),
  }),
  /** I am still here, and so much I have told. */
  z.object({ kind: z.literal('beat'), from: teller, number }),
  /** I have not heard everything you told; tell it anew. */
  z.object({ kind: z.literal('ask'), of: teller }),
  /** I have no members any more. */
  z.object({ kind: z.literal('end'), from: teller }),
  /** The record of the session is another one, or closed. */
  z.object({ kind: z.literal('record') }),
]);

export type NeighbourMessage = z.infer<typeof message>;
export type Change = Extract<NeighbourMessage, { kind: 'change' }>;

/** All but changes, whose parts are JSON already. */
export const messageText = (said: Exclude<NeighbourMessage, Change>): string => JSON.stringify(said);

export const memberText = ({ participant: who, since }: Member): string => JSON.stringify({ participant: who, since });

export const stateText = ({ awarenessId: id, clientId, clock, state: shown }: AwarenessState): string =>
  JSON.stringify({ awarenessId: id, clientId, clock, state: shown });

export function changeText(
  ahead: Pick<Change, 'from' | 'number' | 'isAnew' | 'isWhole'>,
  parts: Readonly<Record<'members' | 'left' | 'states' | 'gone', readonly string[]>>,
): string {
  const lists = Object.entries(parts).map(([name, texts]) => `"${name}":[${texts.join(',')}]`);
  return `${JSON.stringify({ kind: 'change', ...ahead }).slice(0, -1)},${lists.join(',')}}`;
}

/** Undefined: it is none of ours. */
export function readMessage(text: string): NeighbourMessage | undefined {
  try {
    return message.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
