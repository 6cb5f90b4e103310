import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { AccessChange, AccessChanges } from '../storage/access-changes';
import type { User } from './access';
import type { AccessFollower } from './access-follower';
import type { Device, Devices } from './devices';
import type { Revocations } from './revocations';

/** A device in use is noted no more often. */
const TOUCH_MS = 60_000;
/** Devices whose last note is remembered; those beyond it are noted again a little early. */
const MAX_TOUCHED = 10_000;
/** What only serves the list is not waited for any longer. */
const PATIENCE_MS = 100;

interface DeviceSessionsOptions {
  readonly devices: Devices;
  readonly changes: AccessChanges;
  readonly follower: AccessFollower;
  readonly revocations: Revocations;
  /** A revocation is kept for as long as any token may live. */
  readonly maxTokenMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where users are signed in: the list they see, and what ends it. What was revoked is in the store before it is answered. */
export class DeviceSessions {
  readonly #options: DeviceSessionsOptions;
  readonly #outage: Outage;
  /** deviceId → when it was noted last (monotonic); the oldest first. */
  readonly #touched = new Map<string, number>();

  constructor(options: DeviceSessionsOptions) {
    this.#options = options;
    this.#outage = new Outage(options.log, {
      began: 'devices cannot be noted or forgotten; revocations hold all the same',
      ended: 'devices are noted again',
    });
  }

  /** Notes that a device is in use. Never rejects, and is not waited for if that takes long. */
  async touch({ userId, deviceId }: User, label: string, address: string): Promise<void> {
    if (deviceId === null || !this.#isDue(`${userId}\n${deviceId}`)) return;
    const { devices, clock } = this.#options;
    await this.#briefly(devices.seen({ userId, deviceId, label, address, at: clock.now() }));
  }

  /** Rejects with BACKEND_UNAVAILABLE. */
  async list(userId: string): Promise<readonly Device[]> {
    const { devices, revocations } = this.#options;
    return (await devices.list(userId)).filter(({ deviceId }) => !revocations.isDeviceRevoked(userId, deviceId));
  }

  /** Ends one device of a user, whatever token it shows from now on. Rejects with STORE_UNAVAILABLE. */
  async revoke(userId: string, deviceId: string): Promise<void> {
    if (!this.#options.revocations.isDeviceRevoked(userId, deviceId)) await this.#append([this.#end(userId, deviceId)]);
    await this.#forget(userId, [deviceId]);
  }

  /** Ends all devices of a user, but for one if it is given. Rejects with STORE_UNAVAILABLE. */
  async revokeAll(userId: string, exceptDeviceId: string | null): Promise<void> {
    const { clock, maxTokenMs } = this.#options;
    const now = clock.now();
    // Also those that nobody knows of, because the list was lost.
    const all: AccessChange = {
      kind: 'tokens-revoked',
      userId,
      exceptDeviceId,
      issuedBefore: now,
      until: now + maxTokenMs,
    };
    const others = (await this.#known(userId)).filter((deviceId) => deviceId !== exceptDeviceId);
    await this.#append([all, ...others.map((deviceId) => this.#end(userId, deviceId))]);
    await this.#forget(userId, others);
  }

  #end(userId: string, deviceId: string): AccessChange {
    const { clock, maxTokenMs } = this.#options;
    return { kind: 'device-revoked', userId, deviceId, until: clock.now() + maxTokenMs };
  }

  /** Here it holds when this resolves. */
  async #append(changes: readonly AccessChange[]): Promise<void> {
    const { changes: list, follower, clock } = this.#options;
    await Promise.all(changes.map((change) => list.append(change, clock.now())));
    await follower.appended();
  }

  async #known(userId: string): Promise<readonly string[]> {
    let known: readonly Device[] = [];
    const listed = this.list(userId).then((devices) => {
      known = devices;
    });
    await this.#briefly(listed);
    return known.map(({ deviceId }) => deviceId);
  }

  #forget(userId: string, deviceIds: readonly string[]): Promise<void> {
    for (const deviceId of deviceIds) this.#touched.delete(`${userId}\n${deviceId}`);
    return this.#briefly(this.#options.devices.forget(userId, deviceIds));
  }

  async #briefly(work: Promise<void>): Promise<void> {
    const noted = work.then(
      () => this.#outage.worked(),
      (fault: unknown) => this.#outage.failed(fault),
    );
    await isDoneWithin(this.#options.clock, noted, PATIENCE_MS);
  }

  /** Also when noting fails: Redis that is away is not asked with every request. */
  #isDue(device: string): boolean {
    const now = this.#options.clock.monotonic();
    const touchedAt = this.#touched.get(device);
    if (touchedAt !== undefined && now - touchedAt < TOUCH_MS) return false;
    this.#touched.delete(device);
    this.#touched.set(device, now);
    for (const oldest of this.#touched.keys()) {
      if (this.#touched.size <= MAX_TOUCHED) break;
      this.#touched.delete(oldest);
    }
    return true;
  }
}
