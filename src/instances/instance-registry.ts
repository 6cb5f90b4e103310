/** What a running server says of itself. */
export interface Instance {
  readonly instanceId: string;
  /** Two instances with the same one can ask the operating system about each other's processes. */
  readonly host: string;
  readonly pid: number;
  /** Milliseconds since 1970; with host and pid it tells one process from the next under the same pid. */
  readonly startedAt: number;
  readonly version: string;
  /** Service → what it runs on. */
  readonly backends: Readonly<Record<string, string>>;
  /** Connections now. */
  readonly connections: number;
  /** Different users connected now. */
  readonly users: number;
}

/**
 * Who is alive: every instance holds a lease and renews it, saying what is true of it by then. Whoever dies is gone when the lease ends; one
 * that died on this host, at once.
 */
export interface InstanceRegistry {
  /** Puts this instance in; it stays in, by itself, until `stop`. Rejects with BACKEND_UNAVAILABLE. */
  start(): Promise<void>;

  /** Takes this instance out at once. Never rejects: a lease that cannot be given back ends. */
  stop(): Promise<void>;

  /**
   * The other live instances. One among them with this instance's own id: two processes run under one INSTANCE_ID, and the other one was
   * first. Rejects with BACKEND_UNAVAILABLE.
   */
  others(): Promise<readonly Instance[]>;
}
