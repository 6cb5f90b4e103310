/**
 * Which instance saves which session (SV1, SV2). Economy, not safety: two savers at once are harmless, because the
 * store refuses what is old (ST1, ST2).
 */
export interface SaveDuty {
  /** Takes or renews the save lease of these sessions; answers those this instance now holds. */
  claim(sessionIds: readonly string[]): Promise<ReadonlySet<string>>;

  /** Gives leases back; sessions this instance does not hold are passed over. */
  release(sessionIds: readonly string[]): Promise<void>;

  /** Sessions that may have unsaved entries while nobody holds their lease. */
  orphans(): Promise<readonly string[]>;
}
