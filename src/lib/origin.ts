const LOOPBACK_HOST_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a page of `origin` may talk to this server, for CORS and for WebSocket upgrades alike.
 * No origin means no browser. With no list: pages of the host name that was asked (any port) and of this machine.
 */
export function isOriginAllowed(
  origin: string | undefined,
  askedHost: string | undefined,
  allowedOrigins: readonly string[],
): boolean {
  if (origin === undefined) return true;
  if (allowedOrigins.length > 0) return allowedOrigins.includes('*') || allowedOrigins.includes(origin);
  const page = hostNameOf(origin);
  return page !== null && (LOOPBACK_HOST_NAMES.has(page) || page === hostNameOf(`http://${askedHost ?? ''}`));
}

/** Null for what is no origin, also for `null`, which sandboxed and local pages send. */
function hostNameOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).hostname || null : null;
}
