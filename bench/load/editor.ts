import type { SystemName } from '../harness/server';
import { connectFlow } from './flow-editor';
import { connectSocketIo } from './socketio-editor';
import { connectWs } from './ws-editor';

/** One client of one room, whatever the system behind it. */
export interface Editor {
  /** Sends this editor's nth edit, counted from 1. */
  send(n: number, update: string): void;
  /** Edits that have come so far, the own ones included. */
  received(): number;
  /** Edits known to be saved; what a relay never says. */
  saved(): number | undefined;
  /** What has come in: WebSocket messages and their bytes. */
  traffic(): { readonly frames: number; readonly bytes: number };
  /** What the server refused, in its words. */
  refusals(): readonly string[];
  close(): void;
}

/** Told of each edit that reaches an editor who watches: whose, which, and when (monotonic milliseconds). */
export type OnEdit = (author: number, n: number, at: number) => void;

export interface Seat {
  readonly port: number;
  readonly room: string;
  /** The editor's number in the room. */
  readonly index: number;
  /** Shared by the editors of a room: whatever the system calls its authors → their numbers. */
  readonly authors: Map<string, number>;
  /** Only for editors who watch; the others count without looking. */
  readonly onEdit?: OnEdit;
}

export function connectEditor(system: SystemName, seat: Seat): Promise<Editor> {
  switch (system) {
    case 'ws relay':
      return connectWs(seat);
    case 'Socket.IO relay':
    case 'Socket.IO relay with redis-adapter':
      return connectSocketIo(seat);
    case 'Flow':
    case 'Flow on Redis':
      return connectFlow(seat);
  }
}
