import type { Config } from '../../../config/load-config';
import type { FlowClient } from '../../../src/client/flow-client';
import type { FlowYjsProvider } from '../../../src/client/yjs-provider';
import type { createFlow } from '../../../src/flow';
import type { EventOrdering } from '../../../src/ordering/event-ordering';
import type { DocumentStore } from '../../../src/storage/document-store';
import { MemoryDocumentStore } from '../../../src/storage/memory/memory-document-store';
import type { Histories } from '../../../src/storage/memory/memory-histories';
import { MemoryAccessChanges } from '../../../src/storage/memory/memory-access-changes';
import { MemorySessionRecords } from '../../../src/storage/memory/memory-session-records';
import { MemorySessionRoles, type Granted } from '../../../src/storage/memory/memory-session-roles';
import type { SessionRecord } from '../../../src/storage/session-records';
import { MemorySnapshots } from '../../../src/storage/memory/memory-snapshots';
import type { OperationLog } from '../../../src/storage/operation-log';
import { loadChanged, type SourceChange } from './changed-source';
import { makePlan, type Profile } from './plan';
import { runSchedule } from './run-schedule';
import type { Invariant, Violation } from './trace';
import type { Parts } from './world';

/** One rule switched off, and what must come of it. */
export interface RuleOff {
  readonly rule: string;
  /** What is done instead. */
  readonly instead: string;
  /** One of these is named by the schedule that fails. */
  readonly breaks: readonly Invariant[];
  /** What a schedule must be like for the rule to matter. */
  readonly profile: Profile;
  /** What switches it off: other parts, or other settings. */
  readonly parts?: () => Partial<Parts>;
  readonly config?: Partial<Config>;
}

export interface Breach {
  readonly seed: number;
  readonly violation: Violation;
}

/** So many schedules are tried. Alone on a machine the rarest breach comes about in every second, beside other work in one of ten. */
const MAX_SEEDS = 40;
/** What is broken need not be waited for as long as what is only slow. */
const BROKEN_DEADLINE_MS = 3_000;

/** Runs schedules without the rule until one fails as it must. `setting`: what they run in otherwise. */
export async function findBreach(
  { breaks, profile, parts, config }: RuleOff,
  setting: () => Partial<Parts> = () => ({}),
): Promise<Breach> {
  const seen: string[] = [];
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const { trace } = await runSchedule(makePlan(seed, { ...profile, config: { ...profile.config, ...config } }), {
      parts: { ...setting(), ...parts?.() },
      deadlineMs: BROKEN_DEADLINE_MS,
      chanceDeadlineMs: BROKEN_DEADLINE_MS,
    });
    const violation = trace.violations.find(({ invariant }) => breaks.includes(invariant));
    if (violation) return { seed, violation };
    seen.push(`seed ${seed}: ${[...trace.invariantsBroken].join(' and ') || 'nothing'}`);
  }
  throw new Error(`No schedule breaks ${breaks.join(' or ')}. Broken is:\n${seen.join('\n')}`);
}

/** An order that is the given one but for some methods. */
export const otherOrdering = (methods: (real: EventOrdering) => Partial<EventOrdering>) => (): Partial<Parts> => ({
  ordering: (real) => ({
    scope: real.scope,
    describe: (ids) => real.describe(ids),
    seed: (...given) => real.seed(...given),
    admit: (...given) => real.admit(...given),
    append: (...given) => real.append(...given),
    read: (...given) => real.read(...given),
    markSaved: (...given) => real.markSaved(...given),
    follow: (...given) => real.follow(...given),
    release: (id) => real.release(id),
    ...methods(real),
  }),
});

/** A store whose operation log is the given one but for some methods. */
export const otherLog = (methods: (real: OperationLog) => Partial<OperationLog>) => (): Partial<Parts> => ({
  store: (real) => withLog(real, { ...delegate(real.operationLog), ...methods(real.operationLog) }),
});

/** A store in memory whose operation log is another class over the same tables. */
export const storeWith = (makeLog: (histories: Histories) => OperationLog) => (): Partial<Parts> => {
  const histories: Histories = new Map();
  const records = new Map<string, SessionRecord>();
  const granted: Granted = new Map();
  const accessChanges = new MemoryAccessChanges();
  const keptIn: DocumentStore = {
    ...withLog(new MemoryDocumentStore(), makeLog(histories)),
    sessionRecords: new MemorySessionRecords({ records, granted, histories }),
    sessionRoles: new MemorySessionRoles({ records, granted, accessChanges }),
    accessChanges,
    snapshots: new MemorySnapshots(histories),
  };
  return { keptIn };
};

export const changedServer =
  (...changes: SourceChange[]) =>
  (): Partial<Parts> => {
    const flow = loadChanged('src/flow.ts', changes) as { createFlow: typeof createFlow };
    return { createFlow: flow.createFlow };
  };

export const changedClient =
  (...changes: SourceChange[]) =>
  (): Partial<Parts> => {
    const client = loadChanged('src/client/flow-client.ts', changes) as { FlowClient: typeof FlowClient };
    const provider = loadChanged('src/client/yjs-provider.ts', changes) as { FlowYjsProvider: typeof FlowYjsProvider };
    return { FlowClient: client.FlowClient, FlowYjsProvider: provider.FlowYjsProvider };
  };

const withLog = (real: DocumentStore, operationLog: OperationLog): DocumentStore => ({
  kind: real.kind,
  operationLog,
  sessionRecords: real.sessionRecords,
  sessionRoles: real.sessionRoles,
  snapshots: real.snapshots,
  accessChanges: real.accessChanges,
  start: () => real.start(),
  stop: () => real.stop(),
});

const delegate = (real: OperationLog): OperationLog => ({
  durability: real.durability,
  head: (id) => real.head(id),
  openEpoch: (...given) => real.openEpoch(...given),
  save: (saves) => real.save(saves),
  readAfter: (...given) => real.readAfter(...given),
  tagAt: (...given) => real.tagAt(...given),
  clientRow: (...given) => real.clientRow(...given),
  prune: (...given) => real.prune(...given),
});
