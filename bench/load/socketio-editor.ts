import type { Editor, Seat } from './editor';
import { SocketIoLink } from './socket-io-link';
import type { RelayedEdit } from './ws-editor';

export async function connectSocketIo({ port, room, index, onEdit }: Seat): Promise<Editor> {
  const link = await SocketIoLink.connect(port, {});
  await link.request('join', room);
  let received = 0;
  link.onEvent = (frame) => {
    received += 1;
    if (!onEdit) return;
    const at = performance.now();
    const [, [author, n]] = JSON.parse(frame.toString('utf8', 2)) as [name: string, edit: RelayedEdit];
    onEdit(author, n, at);
  };
  return {
    send: (n, update) => link.emit('edit', `"${room}",[${index},${n},"${update}"]`),
    received: () => received,
    saved: () => undefined,
    traffic: () => ({ frames: link.frames, bytes: link.bytes }),
    refusals: () => link.refusals,
    close: () => link.close(),
  };
}
