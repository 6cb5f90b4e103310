import type { Clock } from '../lib/clock';
import { byLastSeen, type Device, type Devices, type Sighting } from './devices';

/** Enough for any single process; beyond it, those not seen for longest are forgotten first. */
const MAX_DEVICES = 100_000;

interface Row extends Device {
  readonly userId: string;
}

/** The devices that this process has seen. */
export class MemoryDevices implements Devices {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #maxDevices: number;
  /** Those not seen for longest first. */
  readonly #rows = new Map<string, Row>();
  readonly #ofUser = new Map<string, Set<string>>();

  constructor({ clock, ttlMs, maxDevices = MAX_DEVICES }: { clock: Clock; ttlMs: number; maxDevices?: number }) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#maxDevices = maxDevices;
  }

  async seen({ userId, deviceId, label, address, at }: Sighting): Promise<void> {
    const known = this.#rows.get(deviceId);
    const firstSeenAt = known?.userId === userId ? known.firstSeenAt : at;
    this.#remove(deviceId);
    this.#rows.set(deviceId, { userId, deviceId, label, address, firstSeenAt, lastSeenAt: at });
    this.#ofUser.set(userId, (this.#ofUser.get(userId) ?? new Set()).add(deviceId));
    this.#letGo();
  }

  async list(userId: string): Promise<readonly Device[]> {
    this.#letGo();
    const rows = [...(this.#ofUser.get(userId) ?? [])].flatMap((deviceId) => this.#rows.get(deviceId) ?? []);
    return rows.map(({ userId: _, ...device }) => device).sort(byLastSeen);
  }

  async forget(userId: string, deviceIds: readonly string[]): Promise<void> {
    for (const deviceId of deviceIds) if (this.#ofUser.get(userId)?.has(deviceId)) this.#remove(deviceId);
  }

  #letGo(): void {
    const goneBefore = this.#clock.now() - this.#ttlMs;
    for (const [deviceId, { lastSeenAt }] of this.#rows) {
      if (lastSeenAt > goneBefore && this.#rows.size <= this.#maxDevices) return;
      this.#remove(deviceId);
    }
  }

  #remove(deviceId: string): void {
    const row = this.#rows.get(deviceId);
    if (!row) return;
    this.#rows.delete(deviceId);
    const devices = this.#ofUser.get(row.userId);
    devices?.delete(deviceId);
    if (devices?.size === 0) this.#ofUser.delete(row.userId);
  }
}
