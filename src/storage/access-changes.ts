/** Something that somebody may no longer do from now on, or may do as of now. */
export type AccessChange =
  /** Roles of a session were changed: one user's, or (null) what its link gives. */
  | { readonly kind: 'role'; readonly sessionId: string; readonly userId: string | null }
  /** One signed-in device of a user was revoked, whatever token it shows. */
  | {
      readonly kind: 'device-revoked';
      readonly userId: string;
      readonly deviceId: string;
      /** Milliseconds since 1970: no token that the device may have is valid any more. */
      readonly until: number;
    }
  /** All tokens of a user that were issued before a moment were revoked, except those of one device, if any. */
  | {
      readonly kind: 'tokens-revoked';
      readonly userId: string;
      readonly exceptDeviceId: string | null;
      /** Milliseconds since 1970. */
      readonly issuedBefore: number;
      /** Milliseconds since 1970: no such token is valid any more. */
      readonly until: number;
    };

/** A change with its place among all changes. */
export interface NumberedChange {
  /** 1, 2, 3 … without a hole, in the order in which they took effect. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly change: AccessChange;
}

/**
 * The durable list of changes of who may do what, which every instance on the store follows. It is the truth about them: what else tells
 * of a change is only a hint to look here. Rejects with STORE_UNAVAILABLE when the engine cannot answer.
 */
export interface AccessChanges {
  /** Gives the change the next number, on disk before it resolves; from then on `after` has it, on every instance. */
  append(change: AccessChange, at: number): Promise<number>;

  /** Changes with a higher number, in order, at most `limit`. */
  after(number: number, limit: number): Promise<readonly NumberedChange[]>;

  /** Removes revocations that ended before `before` and role changes made before it (ms since 1970). No number is given out again. */
  prune(before: number): Promise<void>;
}

/** Whether a change means nothing any more to anybody who looks after `before`. */
export function isOver({ at, change }: Pick<NumberedChange, 'at' | 'change'>, before: number): boolean {
  return (change.kind === 'role' ? at : change.until) < before;
}
