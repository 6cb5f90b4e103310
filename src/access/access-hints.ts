/** Between instances: there is something new in the list of changes of access. May be lost, late or doubled; the list is followed anyway. */
export interface AccessHints {
  /** Calls `onHint` when another instance, or this one, tells. Never rejects. */
  follow(onHint: () => void): Promise<void>;

  /** Never fails: what cannot be told is lost. */
  tell(): void;

  stop(): Promise<void>;
}
