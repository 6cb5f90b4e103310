import type { Config } from '../../../config/load-config';
import type { Format } from '../../../src/protocol/schemas';
import { Dice } from './dice';
import type { WriterKind } from './writers';

/**
 * `shared`: several instances see one order that is none of theirs. `process`: the server of today, with its order in memory;
 * a second one only ever takes over.
 */
export type Mode = 'shared' | 'process';

const ON_THE_LINE = ['cut', 'stall', 'lag', 'swallow', 'away', 'reload'] as const;
const OF_INSTANCES = ['kill', 'freeze', 'drain', 'idle'] as const;
const OF_THE_STORE = ['refuse saves', 'stall saves', 'snapshot', 'newcomer'] as const;

/** Seeds draw from these lists: another sequence is another schedule. */
export const FAULTS = {
  shared: [
    ...ON_THE_LINE,
    ...OF_INSTANCES,
    'lose hints',
    'double hints',
    'reorder hints',
    'delay hints',
    'vanish',
    'fall back',
    'stale log',
    'strand',
    'late admission',
    'order away',
    'lose replies',
    'delay requests',
    'delay replies',
    ...OF_THE_STORE,
  ],
  process: [...ON_THE_LINE, ...OF_INSTANCES, 'take over', ...OF_THE_STORE],
} as const;

export type FaultKind = (typeof FAULTS)[Mode][number];

export interface PlannedFault {
  readonly kind: FaultKind;
  /** It begins when so many operations are written. */
  readonly after: number;
  readonly author: number;
  readonly session: number;
  readonly slot: number;
  /** How long it lasts, where it lasts. */
  readonly ms: number;
  /** Operations, replies, entries: what the kind counts. */
  readonly amount: number;
  readonly isOdd: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly mode: Mode;
  readonly store: 'memory' | 'lmdb';
  readonly instances: number;
  readonly sessions: readonly Format[];
  readonly authors: ReadonlyArray<Exclude<WriterKind, 'yjs'>>;
  readonly operations: number;
  readonly faults: readonly PlannedFault[];
  /** No hint arrives any more while the last operations are written: only the audit is left. */
  readonly endsMute: boolean;
  readonly config: Partial<Config>;
}

/** What a schedule must be like to show one rule; the rest is chance. */
export interface Profile {
  readonly mode?: Mode;
  readonly store?: 'memory' | 'lmdb';
  readonly instances?: number;
  readonly sessions?: readonly Format[];
  readonly authors?: Plan['authors'];
  /** How often each kind is chosen; kinds that are not named are not. */
  readonly faults?: Readonly<Partial<Record<FaultKind, number>>>;
  readonly faultCount?: number;
  readonly cutCount?: number;
  readonly endsMute?: boolean;
  readonly config?: Partial<Config>;
}

/** In milliseconds. Everything that happens every second in life happens ten times as often here. */
export const AUDIT_INTERVAL_MS = 100;
const MIN_OPERATIONS = 200;
const MIN_CUTS = 5;
/** A drained instance asks its clients to stay away for up to 2 s, which a schedule can afford now and then. */
const RARE: Partial<Record<FaultKind, number>> = { drain: 0.3, idle: 0.5, 'stale log': 0.5 };
const CUTS: readonly FaultKind[] = ['cut', 'stall', 'swallow', 'away'];

export function makePlan(seed: number, profile: Profile = {}): Plan {
  const dice = new Dice(seed, 'plan');
  const mode = profile.mode ?? dice.pick(['shared', 'shared', 'shared', 'process', 'process']);
  const sessions =
    profile.sessions ?? dice.pick<readonly Format[]>([['json'], ['json'], ['json', 'json'], ['json', 'yjs'], ['yjs']]);
  const authors = profile.authors ?? [
    'submits',
    'submits',
    dice.pick(['submits', 'proposes']),
    ...(dice.chance(0.5) ? ['submits' as const] : []),
  ];
  const operations = dice.between(MIN_OPERATIONS, MIN_OPERATIONS + 60);
  const weights = profile.faults ?? weightsOf(mode);
  const others = profile.faultCount ?? dice.between(5, 8);
  const cuts = profile.cutCount ?? MIN_CUTS;
  const kinds = [
    ...Array.from({ length: cuts }, () => dice.pick(CUTS)),
    ...Array.from({ length: others }, () => dice.pickWeighted<FaultKind>(weights)),
  ];
  const faults = kinds.map((kind) =>
    plannedFault(kind, dice, { operations, authors: authors.length, sessions: sessions.length }),
  );
  const ringEntries = dice.pick([8, 24, 1_024]);
  return {
    seed,
    mode,
    store: profile.store ?? (dice.chance(0.2) ? 'lmdb' : 'memory'),
    instances: profile.instances ?? (mode === 'shared' ? dice.pick([2, 2, 3]) : 1),
    sessions,
    authors,
    operations,
    faults: faults.sort((a, b) => a.after - b.after),
    endsMute: profile.endsMute ?? (mode === 'shared' && dice.chance(0.4)),
    config: {
      auditIntervalMs: AUDIT_INTERVAL_MS,
      sessionIdleMs: 60,
      saveIntervalMs: dice.pick([2, 10, 20]),
      fanoutIntervalMs: dice.pick([1, 5, 10]),
      stopDeadlineMs: 3_000,
      ringEntries,
      snapshotEntries: dice.pick([20, 60]),
      historyDays: 0,
      ...profile.config,
    },
  };
}

function weightsOf(mode: Mode): Partial<Record<FaultKind, number>> {
  return Object.fromEntries(FAULTS[mode].map((kind) => [kind, RARE[kind] ?? 1]));
}

function plannedFault(
  kind: FaultKind,
  dice: Dice,
  { operations, authors, sessions }: { operations: number; authors: number; sessions: number },
): PlannedFault {
  return {
    kind,
    // Not before there is something to lose, and with some way to go afterwards.
    after: dice.between(20, Math.floor(operations * 0.85)),
    author: dice.between(0, authors - 1),
    session: dice.between(0, sessions - 1),
    slot: dice.between(0, 2),
    ms: dice.between(10, 120),
    amount: dice.between(1, 12),
    isOdd: dice.chance(0.5),
  };
}
