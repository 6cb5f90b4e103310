/**
 * What instances tell each other about a session beyond its order. A message may be lost, late or doubled, and nobody notices; so
 * whoever relies on one has another way to find out. Nobody hears themselves.
 */
export interface InstanceBus {
  /** Calls `onMessage` with what other instances say of a session. Never fails; without the backend nothing is heard. */
  follow(sessionId: string, onMessage: (message: string) => void): Following;

  /** To every other instance that follows the session. Never fails: what cannot be told is lost. */
  tell(sessionId: string, message: string): void;
}

export interface Following {
  /** Resolves when everything that is told from then on is heard. */
  readonly begun: Promise<void>;
  end(): void;
}
