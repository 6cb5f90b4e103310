/**
 * Every key and channel this server uses. Keys that one script touches share a hash tag, so that they lie in one slot of a cluster:
 * `{<sessionId>}` for what belongs to the order of a session, and the whole name of the key they belong to, `flow:sessions:<id>`, elsewhere.
 */
export class RedisKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Hash: what a collaboration session is, for people who look. */
  session(sessionId: string): string {
    return `${this.#prefix}sessions:${sessionId}`;
  }

  /** Hash: connectionId → participant as JSON. */
  participants(sessionId: string): string {
    return `${this.#prefix}participants:{${this.session(sessionId)}}`;
  }

  /** Sorted set: connectionId → when its lease ends, milliseconds since 1970. */
  participantLeases(sessionId: string): string {
    return `${this.participants(sessionId)}:leases`;
  }

  /** Hash: epoch, head, saved and floor of a hot log. */
  orderingMeta(sessionId: string): string {
    return this.#ordering(sessionId, 'meta');
  }

  /** A pattern for SCAN: the hashes of all hot logs. */
  anyOrderingMeta(): string {
    return this.orderingMeta('*');
  }

  /** The session of such a hash; undefined: the key is something else. */
  sessionOfOrderingMeta(key: string): string | undefined {
    const [before = '', after = ''] = this.orderingMeta('*').split('*');
    return key.startsWith(before) && key.endsWith(after) ? key.slice(before.length, -after.length) : undefined;
  }

  /** Stream with ids `<epoch>-<seq>`: the hot log. */
  orderingLog(sessionId: string): string {
    return this.#ordering(sessionId, 'log');
  }

  /** Hash: clientId → its last accepted batch. */
  orderingClients(sessionId: string): string {
    return this.#ordering(sessionId, 'clients');
  }

  /** String: the instance that saves the session. */
  orderingSaver(sessionId: string): string {
    return this.#ordering(sessionId, 'saver');
  }

  /** Channel: hints. */
  orderingLive(sessionId: string): string {
    return this.#ordering(sessionId, 'live');
  }

  /** Channel: what instances tell each other about a session beyond its order. */
  bus(sessionId: string): string {
    return `${this.#prefix}bus:{${sessionId}}`;
  }

  /** Set: sessions that may have unsaved entries (SV2). */
  orderingUnsaved(): string {
    return `${this.#prefix}ordering:unsaved`;
  }

  /** String with a time to live: a signed-in device, as JSON. */
  device(deviceId: string): string {
    return `${this.#prefix}session:${deviceId}`;
  }

  /** Set: deviceIds of a user. */
  devicesOf(userId: string): string {
    return `${this.#prefix}user:sessions:${userId}`;
  }

  /** Counter with a time to live: what a caller (a user's id, an address) has done on a route in this window. */
  throttle(limiter: string, caller: string, route: string): string {
    return `${this.#prefix}throttle:${limiter}:${caller}:${route}`;
  }

  /** String with a time to live: what a user may do in a session, as JSON. */
  role(sessionId: string, userId: string): string {
    return `${this.#prefix}role:${sessionId}:${userId}`;
  }

  /** Channel: who may do what has changed. */
  accessChanges(): string {
    return `${this.#prefix}access:changes`;
  }

  /** Sorted set: instanceId → when its lease ends, milliseconds since 1970. */
  instances(): string {
    return `${this.#prefix}instances`;
  }

  /** Sorted set: instanceId → its place in the order in which instances came. */
  instanceArrivals(): string {
    return `${this.#prefix}arrivals:{${this.instances()}}`;
  }

  /** String: what an instance says of itself, as JSON. */
  instance(instanceId: string): string {
    return `${this.#prefix}instance:${instanceId}`;
  }

  /** Prefix of the Socket.IO adapter's channels. */
  webSockets(): string {
    return `${this.#prefix}ws`;
  }

  #ordering(sessionId: string, what: string): string {
    return `${this.#prefix}ordering:{${sessionId}}:${what}`;
  }
}
