/** Version of the wire: events, schemas and their meaning. Sent as `auth.clientVersion`. */
export const PROTOCOL_VERSION = 1;

/** Versions this server still speaks. */
const OLDEST_SUPPORTED = 1;

export const isVersionSupported = (version: unknown): boolean =>
  typeof version === 'number' &&
  Number.isInteger(version) &&
  version >= OLDEST_SUPPORTED &&
  version <= PROTOCOL_VERSION;
