import { PROTOCOL_VERSION } from '../../src/protocol/version';
import type { Acknowledgement, Announcements, RequestInputs } from '../../src/protocol/schemas';
import type { Editor, Seat } from './editor';
import { SocketIoLink } from './socket-io-link';

type Asked = 'session:create' | 'session:join' | 'operation:catch-up';
type Ok<Name extends Asked> = Extract<Acknowledgement<Name>, { status: 'ok' }>;

/** Where the names of the announcements differ: `42["operation:batch"` and `42["operation:saved"`. */
const NAME_OFFSET = '42["operation:'.length;
const BATCH = 'b'.charCodeAt(0);
const SAVED = 's'.charCodeAt(0);
const OPERATION_PREFIX = Buffer.from('42["op');

export const connectToFlow = (port: number, userId: string): Promise<SocketIoLink> =>
  SocketIoLink.connect(port, { token: userId, clientVersion: PROTOCOL_VERSION });

/** The ok reply; a refusal ends the benchmark. */
export async function askFlow<Name extends Asked>(
  link: SocketIoLink,
  name: Name,
  body: RequestInputs[Name],
): Promise<Ok<Name>> {
  const answer = (await link.request(name, body)) as Acknowledgement<Name>;
  if (answer.status !== 'ok') throw new Error(`${name}: ${JSON.stringify(answer)}`);
  return answer as Ok<Name>;
}

/** Writes the nth edit (of this client) as the SDK does: a batch of one, answered only if no batch will confirm it. */
export function submit(link: SocketIoLink, sessionId: string, n: number, update: string): void {
  link.emit('operation:submit', `{"sessionId":"${sessionId}","clientSeq":${n},"operations":["${update}"],"ref":${n}}`);
}

export const isBatch = (frame: Buffer): boolean => isOperationEvent(frame) && frame[NAME_OFFSET] === BATCH;
const isSaved = (frame: Buffer): boolean => isOperationEvent(frame) && frame[NAME_OFFSET] === SAVED;

const isOperationEvent = (frame: Buffer): boolean =>
  frame.subarray(0, OPERATION_PREFIX.length).equals(OPERATION_PREFIX);

export const readBatch = (frame: Buffer): Announcements['operation:batch'] => bodyOf(frame);

function bodyOf<Body>(frame: Buffer): Body {
  const [, body] = JSON.parse(frame.toString('utf8', 2)) as [name: string, body: Body];
  return body;
}

/** The first editor of a room (index 0) makes the session; it must be connected before the others. */
export async function connectFlow({ port, room, index, authors, onEdit }: Seat): Promise<Editor> {
  const link = await connectToFlow(port, `user-${room}-${index}`);
  if (index === 0) await askFlow(link, 'session:create', { sessionId: room, format: 'yjs' });
  let lastBatch: Buffer | undefined;
  let lastSaved: Buffer | undefined;
  link.onEvent = (frame) => {
    const at = performance.now();
    if (isSaved(frame)) lastSaved = frame;
    if (!isBatch(frame)) return;
    lastBatch = frame;
    if (!onEdit) return;
    for (const { clientId, clientSeq } of readBatch(frame).entries) onEdit(authors.get(clientId) ?? -1, clientSeq, at);
  };
  const { client } = await askFlow(link, 'session:join', { sessionId: room });
  authors.set(client.clientId, index);
  return {
    send: (n, update) => submit(link, room, n, update),
    // Numbers are dense, so the last one is the count; that none is missing in between is the order's own test.
    received: () => (lastBatch ? (readBatch(lastBatch).entries.at(-1)?.seq ?? 0) : 0),
    saved: () =>
      Math.max(
        lastBatch ? readBatch(lastBatch).saved : 0,
        lastSaved ? bodyOf<Announcements['operation:saved']>(lastSaved).saved : 0,
      ),
    traffic: () => ({ frames: link.frames, bytes: link.bytes }),
    refusals: () => link.refusals,
    close: () => link.close(),
  };
}
