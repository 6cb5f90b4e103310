import type { Clock } from '../lib/clock';
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
  readonly #sessions = new Map<string, Map<string, Lease>>();
  /** connectionId → its leases, so that a renewal costs what the connection has joined. */
  readonly #byConnection = new Map<string, Map<string, Lease>>();

  constructor({ clock, leaseMs }: { clock: Clock; leaseMs: number }) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  async join(sessionId: string, participant: Participant): Promise<readonly Participant[]> {
    const lease = { participant, endsAt: this.#clock.now() + this.#leaseMs };
    put(this.#sessions, sessionId, participant.connectionId, lease);
    put(this.#byConnection, participant.connectionId, sessionId, lease);
    return this.list(sessionId);
  }

  async leave(sessionId: string, connectionId: string): Promise<void> {
    remove(this.#sessions, sessionId, connectionId);
    remove(this.#byConnection, connectionId, sessionId);
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
        remove(this.#sessions, sessionId, participant.connectionId);
        remove(this.#byConnection, participant.connectionId, sessionId);
      }
    }
    return ended;
  }
}

function put<T>(table: Map<string, Map<string, T>>, outer: string, inner: string, value: T): void {
  const row = table.get(outer) ?? new Map<string, T>();
  table.set(outer, row);
  row.set(inner, value);
}

function remove<T>(table: Map<string, Map<string, T>>, outer: string, inner: string): void {
  const row = table.get(outer);
  row?.delete(inner);
  if (row?.size === 0) table.delete(outer);
}
