import { isIP } from 'node:net';

const LOOPBACK_HOST_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Where requests may come from. */
export interface OriginRules {
  /** ALLOWED_ORIGINS. */
  readonly allowedOrigins: readonly string[];
  /** A caller is who they say they are, so that to reach this server is all it takes to be let in. */
  readonly isOpen: boolean;
}

/**
 * Whether a page of `origin` may talk to this server, for CORS and for WebSocket upgrades alike.
 * No origin means no browser. With no list: pages of the host name that was asked (any port) and of this machine.
 */
export function isOriginAllowed(
  origin: string | undefined,
  askedHost: string | undefined,
  { allowedOrigins }: Pick<OriginRules, 'allowedOrigins'>,
): boolean {
  if (origin === undefined) return true;
  if (allowedOrigins.length > 0) return allowedOrigins.includes('*') || allowedOrigins.includes(origin);
  const page = hostNameOf(origin);
  return page !== null && (LOOPBACK_HOST_NAMES.has(page) || page === hostNameOf(`http://${askedHost ?? ''}`));
}

/**
 * Whether this server may be called by the name `askedHost`. Anybody can give a name of their own this machine's address once a browser has
 * loaded their page from it (DNS rebinding): page and server are of one origin then, and only the name tells. That takes a name of the public
 * DNS; addresses, names without a dot and `localhost` are none. Others must be listed, or the page that asks. Where callers prove who they
 * are it does not matter: no browser does that for a page.
 */
export function isNameAllowed(
  origin: string | undefined,
  askedHost: string | undefined,
  { allowedOrigins, isOpen }: OriginRules,
): boolean {
  if (!isOpen || allowedOrigins.includes('*') || (origin !== undefined && allowedOrigins.includes(origin))) return true;
  const name = hostNameOf(`http://${askedHost ?? ''}`);
  if (name === null) return false;
  if (name.startsWith('[') || isIP(name) > 0 || !name.includes('.') || name.endsWith('.localhost')) return true;
  return allowedOrigins.some((origin) => hostNameOf(origin) === name);
}

/** What helps somebody whose server is called by a name that is not allowed. */
export const NAME_REFUSED = 'With AUTH_MODE=open this server answers to that name only if ALLOWED_ORIGINS has it.';

/** Null for what is no origin, also for `null`, which sandboxed and local pages send. */
function hostNameOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).hostname || null : null;
}
