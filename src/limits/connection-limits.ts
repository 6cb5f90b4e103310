import type { Clock } from '../lib/clock';
import type { FlowError } from '../protocol/errors';
import { rateLimitedAgain } from './rate-limited';
import { TokenBucket } from './token-bucket';
import type { UserAllowances, UserLimit } from './user-limits';

export interface ConnectionLimitSettings {
  readonly editsPerSecond: number;
  readonly awarenessPerSecond: number;
  readonly requestsPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly maxIgnoredRefusals: number;
}

/** Events that are counted together. */
type Family = 'edits' | 'awareness' | 'requests';

const FAMILIES: Readonly<Record<string, Family>> = { 'operation:submit': 'edits', 'awareness:update': 'awareness' };
const EVENTS_OF_USERS: Readonly<Record<string, UserLimit>> = {
  'operation:submit': 'operation:submit',
  'session:join': 'session:join',
  'session:create': 'session:create',
};

/** What was sent before the refusal could be read is not held against anybody. */
const GRACE_MS = 500;
/** Refusals that were ignored count for so long. */
const IGNORED_MS = 5_000;
/** A frame of so many bytes costs about as much to take in as a short one does to refuse. */
const BYTES_PER_POINT = 16_384;
/** Frames that are no events (answers, other namespaces) are let through as long as there are not many more of them than there may be events. */
const FRAMES_PER_EVENT = 2;

/** Who is refused since when, and until when. */
interface Shut {
  readonly since: number;
  readonly until: number;
  refusal: FlowError;
}

interface ConnectionLimitsOptions {
  readonly settings: ConnectionLimitSettings;
  readonly user: UserAllowances;
  readonly clock: Clock;
}

/**
 * What one connection may send (LM2–LM4). Looking costs less than a microsecond and never waits: it goes by buckets of this connection and by what
 * was taken in advance of its user's allowance.
 */
export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions;
  readonly #families: Readonly<Record<Family, TokenBucket | null>>;
  readonly #bytes: TokenBucket | null;
  readonly #frames: TokenBucket | null;
  /** Monotonic: until then it has sent too much, whatever it was. */
  #bytesShutUntil = 0;
  readonly #shut = new Map<string, Shut>();
  #ignored = 0;
  #ignoredSince = 0;

  constructor(options: ConnectionLimitsOptions) {
    const { settings, clock } = options;
    const { editsPerSecond, awarenessPerSecond, requestsPerSecond, receivedBytesPerSecond } = settings;
    const bucket = (perSecond: number) => (perSecond > 0 ? new TokenBucket({ perSecond, clock }) : null);
    this.#options = options;
    this.#families = {
      edits: bucket(editsPerSecond),
      awareness: bucket(awarenessPerSecond),
      requests: bucket(requestsPerSecond),
    };
    this.#bytes = bucket(receivedBytesPerSecond);
    const isEachLimited = Object.values(this.#families).every((each) => each !== null);
    const eventsPerSecond = editsPerSecond + awarenessPerSecond + requestsPerSecond;
    this.#frames = isEachLimited ? bucket(eventsPerSecond * FRAMES_PER_EVENT) : null;
  }

  /** It goes on and on, although it was told to wait. */
  get isIgnoringRefusals(): boolean {
    const { maxIgnoredRefusals } = this.#options.settings;
    return maxIgnoredRefusals > 0 && this.#ignored > maxIgnoredRefusals;
  }

  /** A frame has come, whatever is in it; nobody has looked. */
  received(bytes: number): void {
    const { user, clock } = this.#options;
    const waitMs = this.#bytes?.take(bytes) || user.take('bytes', bytes);
    if (waitMs > 0) {
      this.#bytesShutUntil = clock.monotonic() + waitMs;
      this.#ignore(bytes / BYTES_PER_POINT);
    }
    // Of those that are no events nobody tells: it just must not go on for ever.
    if ((this.#frames?.take(1) ?? 0) > 0) this.#ignore(1);
  }

  /** Why an event is refused; null: it is not, and counts. */
  refusalOf(event: string): FlowError | null {
    const now = this.#options.clock.monotonic();
    const bytesWaitMs = this.#bytesShutUntil - now;
    if (bytesWaitMs > 0) return this.#refuse('bytes', 'Too many bytes', now, bytesWaitMs);
    const family = FAMILIES[event] ?? 'requests';
    const waitMs = this.#families[family]?.take(1) ?? 0;
    if (waitMs > 0) return this.#refuse(family, `Too many ${family} on one connection`, now, waitMs);
    const limit = EVENTS_OF_USERS[event];
    const userWaitMs = limit === undefined ? 0 : this.#options.user.take(limit, 1);
    if (userWaitMs > 0) return this.#refuse(event, `Too much of ${event} by one user`, now, userWaitMs);
    return null;
  }

  #refuse(key: string, what: string, now: number, waitMs: number): FlowError {
    const known = this.#shut.get(key);
    const refusal = rateLimitedAgain(known?.refusal, what, waitMs);
    if (known && now < known.until) {
      known.refusal = refusal;
      if (now - known.since > GRACE_MS) this.#ignore(1);
    } else {
      this.#shut.set(key, { since: now, until: now + waitMs, refusal });
    }
    return refusal;
  }

  #ignore(points: number): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#ignoredSince > IGNORED_MS) {
      this.#ignoredSince = now;
      this.#ignored = 0;
    }
    this.#ignored += points;
  }
}
