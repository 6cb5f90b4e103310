/** The part of a WebSocket that Engine.IO has no word for. */
export interface WebSocketOfEngine {
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedAmount: number;
  /** Hands a message to the kernel, behind those before it. */
  send(message: Buffer, options: { readonly binary: boolean }): void;
  /** Ends the connection at once, whatever waits to be sent. */
  terminate(): void;
  once(event: 'close', run: () => void): unknown;
}

/**
 * The WebSocket under an Engine.IO connection. It isn't in Engine.IO's types; where a later version renames it, slow consumers would
 * go unnoticed, and their test fails.
 */
export function webSocketOf(conn: { readonly transport: object }): WebSocketOfEngine | undefined {
  const webSocket: unknown = Reflect.get(conn.transport, 'socket');
  return isWebSocket(webSocket) ? webSocket : undefined;
}

function isWebSocket(value: unknown): value is WebSocketOfEngine {
  if (typeof value !== 'object' || value === null) return false;
  return 'bufferedAmount' in value && 'send' in value && 'terminate' in value && 'once' in value;
}
