import type { Server, ServerOptions } from 'node:http';

/** One block of headers: a token and the cookies of an application around us fit. More is answered with 431. */
const MAX_HEADER_BYTES = 16_384;
/** How soon it is noticed that a time is over. */
const CHECK_MS = 1_000;
/** Between two requests of one connection; longer than a load balancer's 60 s, so that it never writes into a closing connection. */
const KEEP_ALIVE_MS = 65_000;
/**
 * So many times what the head of a request may take, its body may, and so may a standstill while it is answered. With 10 s for the
 * head, a body at its limit (4 MiB) fits through a line of 50 kB/s, and the longest work for one answer (60 s) is no standstill.
 */
const TIMES_FOR_THE_REST = 9;

/**
 * What a server grants a connection before it is known to be anyone's: time to say what it wants, and how long that may be. The
 * upgrade to a WebSocket is a request like others until it is done. Who says nothing at all counts from the first moment.
 */
export const httpLimits = (handshakeMs: number): ServerOptions => ({
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: handshakeMs,
  requestTimeout: handshakeMs * TIMES_FOR_THE_REST,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: Math.min(handshakeMs, CHECK_MS),
});

/** Ends connections that stand still: who never reads its answer, say. A WebSocket is no longer concerned. */
export function endStalled(http: Server, handshakeMs: number): void {
  http.setTimeout(handshakeMs * TIMES_FOR_THE_REST);
}
