/** The part of a WebSocket that Engine.IO has no word for. */
export interface WebSocketOfEngine {
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedAmount: number;
  /** 1: open. */
  readonly readyState: number;
  /** What the WebSocket writes its own frames with; Engine.IO uses it for frames of its own, too. */
  readonly _sender: { sendFrame(parts: readonly Buffer[]): void };
  /** Ends the connection at once, whatever waits to be sent. */
  terminate(): void;
  once(event: 'close', run: () => void): unknown;
}

/**
 * The WebSocket under an Engine.IO connection. It isn't in Engine.IO's types; where a later version renames it, slow consumers would
 * go unnoticed, and their test fails.
 */
export function webSocketOf({ transport }: { readonly transport: object }): WebSocketOfEngine | undefined {
  return 'socket' in transport && isWebSocket(transport.socket) ? transport.socket : undefined;
}

function isWebSocket(value: unknown): value is WebSocketOfEngine {
  if (typeof value !== 'object' || value === null) return false;
  return 'bufferedAmount' in value && '_sender' in value && 'terminate' in value && 'once' in value;
}

const OPEN = 1;

/** Hands a frame to the kernel, behind those before it; not on a connection that is closing. */
export function sendFrame(webSocket: WebSocketOfEngine, frame: Buffer): void {
  if (webSocket.readyState === OPEN) webSocket._sender.sendFrame([frame]);
}

/** The last part of a message, which is text. */
const FINAL_TEXT = 0x81;
/** In the second byte, where the length does not fit there: it follows in two bytes, or in eight. */
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

/** A text as one WebSocket frame of a server (RFC 6455, 5.2): header and text in one piece, the same for every connection. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const lengthBytes = length < LENGTH_IN_2_BYTES ? 0 : length < 2 ** 16 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + lengthBytes + length);
  frame[0] = FINAL_TEXT;
  frame[1] = lengthBytes === 0 ? length : lengthBytes === 2 ? LENGTH_IN_2_BYTES : LENGTH_IN_8_BYTES;
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.write(text, 2 + lengthBytes);
  return frame;
}
