import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from '../harness/deadline';
import type { Editor, Seat } from './editor';

const CONNECT_DEADLINE_MS = 60_000;

/** An edit on the relays: who, which, what. */
export type RelayedEdit = [author: number, n: number, update: string];

export async function connectWs({ port, room, index, onEdit }: Seat): Promise<Editor> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${room}`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  await within(CONNECT_DEADLINE_MS, 'a connection to the ws relay', once(socket, 'open'));
  let frames = 0;
  let bytes = 0;
  socket.on('message', (frame: Buffer) => {
    frames += 1;
    bytes += frame.length;
    if (!onEdit) return;
    const at = performance.now();
    const [author, n] = JSON.parse(frame.toString()) as RelayedEdit;
    onEdit(author, n, at);
  });
  return {
    send: (n, update) => socket.send(`[${index},${n},"${update}"]`),
    received: () => frames,
    saved: () => undefined,
    traffic: () => ({ frames, bytes }),
    refusals: () => [],
    close: () => socket.terminate(),
  };
}
