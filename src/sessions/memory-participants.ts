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

  async join(sessionId: string, participant: Participant): Promise<readonly Participant[]> {
    const lease = { participant, endsAt: this.#clock.now() + this.#leaseMs };
    putNested(this.#sessions, sessionId, participant.connectionId, lease);
    putNested(this.#byConnection, participant.connectionId, sessionId, lease);
    return this.list(sessionId);
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

  async renew(connectionIds: readonly string[]): Promise<void> {
    const endsAt = this.#clock.now() + this.#leaseMs;
    for (const connectionId of connectionIds) {
      for (const lease of this.#byConnection.get(connectionId)?.values() ?? []) lease.endsAt = endsAt;
    }
  }

  async sweep(): Promise<ReadonlyArray<{ sessionId: string; participant: Participant }>> {
    const now = this.#clock.now();
    const ended: Array<{ sessionId: string; participant: Participant }> = [];
    for (const [sessionId, leases] of this.#sessions) {
      for (const { participant, endsAt } of leases.values()) {
        if (endsAt > now) continue;
        ended.push({ sessionId, participant });
        removeNested(this.#sessions, sessionId, participant.connectionId);
        removeNested(this.#byConnection, participant.connectionId, sessionId);
      }
    }
    return ended;
  }
}
