import type { Clock } from '../lib/clock';
import type { AccessChange } from '../storage/access-changes';
import type { User } from './access';
import type { AccessFollower } from './access-follower';

/** By then many have ended by themselves. */
const SWEEP_MS = 3_600_000;

type TokensRevoked = Extract<AccessChange, { kind: 'tokens-revoked' }>;

interface OfUser {
  /** deviceId → until when. */
  readonly devices: Map<string, number>;
  tokens: TokensRevoked[];
}

/** Every revocation that has not ended, in memory: to ask costs nothing, and needs neither Redis nor the store. */
export class Revocations {
  readonly #clock: Clock;
  readonly #listeners = new Set<(userId: string) => void>();
  readonly #ofUser = new Map<string, OfUser>();
  #sweepAt: number;

  constructor({ follower, clock }: { follower: Pick<AccessFollower, 'follow'>; clock: Clock }) {
    this.#clock = clock;
    this.#sweepAt = clock.now() + SWEEP_MS;
    follower.follow(({ change }) => {
      if (change.kind !== 'role') this.#hear(change);
    });
  }

  /** Calls `listener` with whose devices or tokens were revoked, when `isRevoked` knows it. */
  onRevoked(listener: (userId: string) => void): void {
    this.#listeners.add(listener);
  }

  #hear(change: Exclude<AccessChange, { kind: 'role' }>): void {
    this.#sweep();
    const ofUser = this.#ofUser.get(change.userId) ?? { devices: new Map<string, number>(), tokens: [] };
    this.#ofUser.set(change.userId, ofUser);
    if (change.kind === 'device-revoked') ofUser.devices.set(change.deviceId, change.until);
    else ofUser.tokens.push(change);
    for (const listener of this.#listeners) listener(change.userId);
  }

  isDeviceRevoked(userId: string, deviceId: string): boolean {
    return (this.#ofUser.get(userId)?.devices.get(deviceId) ?? 0) > this.#clock.now();
  }

  isRevoked({ userId, deviceId, issuedAt }: Pick<User, 'userId' | 'deviceId' | 'issuedAt'>): boolean {
    const ofUser = this.#ofUser.get(userId);
    if (!ofUser) return false;
    if (deviceId !== null && this.isDeviceRevoked(userId, deviceId)) return true;
    return ofUser.tokens.some(
      ({ issuedBefore, exceptDeviceId, until }) =>
        issuedAt < issuedBefore &&
        until > this.#clock.now() &&
        (exceptDeviceId === null || exceptDeviceId !== deviceId),
    );
  }

  #sweep(): void {
    const now = this.#clock.now();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    for (const [userId, ofUser] of this.#ofUser) {
      for (const [deviceId, until] of ofUser.devices) if (until <= now) ofUser.devices.delete(deviceId);
      ofUser.tokens = ofUser.tokens.filter(({ until }) => until > now);
      if (ofUser.devices.size === 0 && ofUser.tokens.length === 0) this.#ofUser.delete(userId);
    }
  }
}
