/** Somebody showed who they are. */
export interface Sighting {
  readonly userId: string;
  /** Told apart by the identity provider's session (`sid`), or by the token. */
  readonly deviceId: string;
  /** What the device says of itself; for people. */
  readonly label: string;
  /** The peer's address. */
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A device on which somebody is signed in. */
export interface Device {
  readonly deviceId: string;
  readonly label: string;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
}

/**
 * On which devices users are signed in, to show it to them. It decides nothing: whether a device was revoked is in the store
 * (AccessChanges). A device that was not seen for the time to live is gone. Rejects with BACKEND_UNAVAILABLE.
 */
export interface Devices {
  /** Puts a device in, or says that it is still in use; label and address are the latest. A device has one user, the last one. */
  seen(sighting: Sighting): Promise<void>;

  /** A user's devices, the one seen last first. */
  list(userId: string): Promise<readonly Device[]>;

  /** Takes these devices of the user out; what is no device of theirs is left alone. */
  forget(userId: string, deviceIds: readonly string[]): Promise<void>;
}

export const byLastSeen = (a: Device, b: Device): number =>
  b.lastSeenAt - a.lastSeenAt || (a.deviceId < b.deviceId ? -1 : 1);
