import type { Clock } from '../lib/clock';
import { type NestedMap, putNested, removeNested } from '../lib/nested-map';
import type { Participant } from '../protocol/schemas';
import type { Participants } from './participants';

interface Lease {
  readonly participant: Participant;
  /** Clock milliseconds. */
  endsAt: number;
}

export class MemoryParticipants implements Participants {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** sessionId → connectionId → lease. */
  readonly #sessions: NestedMap<Lease> = new Map();
  /** connectionId → its leases, so that a renewal costs what the connection has joined. */
  readonly #byConnection: NestedMap<Lease> = new Map();

  constructor({ clock, leaseMs }: { clock: Clock; leaseMs: number }) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  async join(sessionId: string, participant: Participant): Promise<number> {
    const now = this.#clock.now();
    const lease = { participant, endsAt: now + this.#leaseMs };
    putNested(this.#sessions, sessionId, participant.connectionId, lease);
    putNested(this.#byConnection, participant.connectionId, sessionId, lease);
    return now;
  }

  async leave(sessionId: string, connectionId: string): Promise<void> {
    removeNested(this.#sessions, sessionId, connectionId);
    removeNested(this.#byConnection, connectionId, sessionId);
  }

  async list(sessionId: string): Promise<readonly Participant[]> {
    const now = this.#clock.now();
    const leases = [...(this.#sessions.get(sessionId)?.values() ?? [])];
    return leases.filter(({ endsAt }) => endsAt > now).map(({ participant }) => participant);
  }

  async renew(connectionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const now = this.#clock.now();
    const renewed = new Map<string, number>();
    for (const connectionId of connectionIds) {
      for (const [sessionId, lease] of this.#byConnection.get(connectionId) ?? []) {
        lease.endsAt = now + this.#leaseMs;
        renewed.set(sessionId, (renewed.get(sessionId) ?? 0) + 1);
      }
    }
    for (const sessionId of this.#sessions.keys()) this.#sweep(sessionId, now);
    return new Set([...renewed].flatMap(([id, count]) => ((this.#sessions.get(id)?.size ?? 0) > count ? [id] : [])));
  }

  #sweep(sessionId: string, now: number): void {
    for (const [connectionId, { endsAt }] of this.#sessions.get(sessionId) ?? []) {
      if (endsAt > now) continue;
      removeNested(this.#sessions, sessionId, connectionId);
      removeNested(this.#byConnection, connectionId, sessionId);
    }
  }
}
