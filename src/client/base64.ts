/** What newer engines have built in; older typings do not know it yet. */
interface NativeBase64 {
  toBase64(): string;
}
interface NativeBase64Constructor {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}

interface NodeBuffer {
  from(text: string, encoding: 'base64'): Uint8Array<ArrayBuffer>;
  from(buffer: ArrayBufferLike, byteOffset: number, length: number): { toString(encoding: 'base64'): string };
}

const hasNative = (bytes: object): bytes is NativeBase64 => 'toBase64' in bytes;

const hasNativeConstructor = (constructor: object): constructor is NativeBase64Constructor =>
  'fromBase64' in constructor;

/** Node's Buffer, where there is one: looked up by name, so that bundlers bring no copy of it into the browser. */
const { Buffer: nodeBuffer } = globalThis as { Buffer?: NodeBuffer };

/** Arguments of one call are bounded by the engine; this many are safe everywhere. */
const CHUNK_BYTES = 8_192;

export function toBase64(bytes: Uint8Array): string {
  if (nodeBuffer) return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  if (hasNative(bytes)) return bytes.toBase64();
  return toBase64Portably(bytes);
}

export function fromBase64(text: string): Uint8Array {
  if (nodeBuffer) {
    const { buffer, byteOffset, byteLength } = nodeBuffer.from(text, 'base64');
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  if (hasNativeConstructor(Uint8Array)) return Uint8Array.fromBase64(text);
  return fromBase64Portably(text);
}

export function toBase64Portably(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(binary);
}

export function fromBase64Portably(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
