import type { Backend, ServiceName } from '../../protocol/services';

/** Milliseconds, of values of the last ten to twenty seconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export const STEPS = ['order', 'save', 'deliver'] as const;
/** What happens to an operation on its way, by the name of its latency. */
export type Step = (typeof STEPS)[number];

export interface LiveInstance {
  readonly instanceId: string;
  readonly host: string;
  readonly version: string;
  readonly startedAt: number;
  readonly isServing: boolean;
  readonly isThis: boolean;
  readonly connections: number;
  readonly users: number;
}

export interface Warning {
  readonly level: 'warn' | 'error' | 'fatal';
  readonly component?: string | undefined;
  readonly message: string;
  readonly fault?: string | undefined;
  readonly count: number;
  readonly lastAt: number;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly services: Readonly<
    Record<ServiceName, { readonly backend: Backend; readonly configured: Backend; readonly status: 'ok' | 'degraded' }>
  >;
  readonly store: {
    readonly kind: string;
    readonly durability: 'fsync' | 'buffered' | 'none';
    readonly status: 'ok' | 'failing' | 'stalled' | 'older';
    readonly unsavedSessions: number;
    readonly oldestUnsavedMs: number;
    readonly failure?: string | undefined;
  };
  readonly redis: {
    readonly mode: 'none' | 'single' | 'sentinel' | 'cluster';
    readonly status: 'ok' | 'unavailable' | 'unused';
    readonly latencyMs?: number | undefined;
  };
  readonly reasons: ReadonlyArray<{ readonly code: string; readonly message: string }>;
}

/** What this page reads of /ws/stats; what is optional is for administrators. */
export interface Stats {
  readonly instanceId: string;
  /** By the clock of the server, as all times here. */
  readonly at: number;
  readonly health: Health;
  readonly connections: { readonly local: number; readonly cluster: number; readonly slowConsumersCut: number };
  readonly users: number;
  readonly sessions: { readonly open: number; readonly participants: number };
  readonly operations: {
    readonly ordered: number;
    readonly delivered: number;
    readonly saved: number;
    readonly refused: number;
    readonly gapsRepaired: number;
    readonly forks: number;
  };
  readonly recentLatency?:
    | { readonly orderMs: Latency; readonly saveMs: Latency; readonly deliverMs: Latency }
    | undefined;
  readonly instances?: readonly LiveInstance[] | undefined;
  readonly warnings?: readonly Warning[] | undefined;
  readonly eventLoop?: { readonly lagMsP99: number } | undefined;
}

/** Everybody else gets less. */
export const isForAdministrators = ({ warnings }: Stats): boolean => warnings !== undefined;
