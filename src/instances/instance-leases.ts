/** The lease of one instance, as it was read. */
export interface InstanceLease {
  readonly instanceId: string;
  /** What the instance says of itself. */
  readonly text: string;
  /** Changes with every renewal. */
  readonly endsAt: string;
}

/** What somebody wants to be known of an instance for a time. */
export interface LeaseClaim {
  readonly instanceId: string;
  readonly text: string;
  /** What it said before; null: nothing yet. */
  readonly previous: string | null;
  readonly leaseMs: number;
}

/** `arrived`: it was not there before, or no longer, and is the last one now. `taken`: somebody else has the id, and says `text`. */
export type LeaseAnswer = { readonly kind: 'arrived' | 'kept' } | { readonly kind: 'taken'; readonly text: string };

/** Leases that instances hold under their ids. All reject when the backend is away; then it is not known what was done. */
export interface InstanceLeases {
  /** Takes or keeps a lease, for so long from now. Of two who take one id at the same time, one gets it. */
  hold(claim: LeaseClaim): Promise<LeaseAnswer>;

  /** Those that have not ended, in the order in which they arrived: who is not in it yet comes behind all of them. */
  list(): Promise<readonly InstanceLease[]>;

  /** Ends a lease, unless it was renewed since it was read. */
  end(lease: InstanceLease): Promise<void>;
}
