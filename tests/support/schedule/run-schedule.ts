import { rm } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlowClient } from '../../../src/client/flow-client';
import { FlowYjsProvider } from '../../../src/client/yjs-provider';
import { createFlow } from '../../../src/flow';
import { systemClock } from '../../../src/lib/clock';
import type { DocumentStore } from '../../../src/storage/document-store';
import { MemoryDocumentStore } from '../../../src/storage/memory/memory-document-store';
import { lmdbStore } from '../stores';
import { Dice } from './dice';
import { CHANCE_DEADLINE_MS, Faults } from './faults';
import { checkEnd } from './final-check';
import { HotLog } from './hot-log';
import { elapsed } from './pipe';
import { AUDIT_INTERVAL_MS, type Plan } from './plan';
import { Trace } from './trace';
import { World, type Parts } from './world';

export interface Outcome {
  readonly plan: Plan;
  readonly trace: Trace;
  readonly operations: number;
  /** From the end of the last fault until everybody had everything; null: not in time. */
  readonly convergedMs: number | null;
  readonly tookMs: number;
}

/**
 * Two audits, and a wide margin: a request that was lost is given up after its deadline, and the next one may be lost as well; clients and
 * servers wait out their back-off; a drained server's clients wait 2 s; and the machine is busy with other tests.
 */
export const CONVERGENCE_DEADLINE_MS = 2 * AUDIT_INTERVAL_MS + 29_800;
const MAX_WRITTEN_AT_ONCE = 4;
/** So many operations are the last word, written when no hint arrives any more. */
const LAST_WORD = 3;

/** Runs the plan against real servers and the real library over real sockets, and holds what came of it against the invariants. */
export async function runSchedule(
  plan: Plan,
  {
    parts: changes = {},
    deadlineMs = CONVERGENCE_DEADLINE_MS,
    chanceDeadlineMs = CHANCE_DEADLINE_MS,
    isDetailed = false,
  }: { parts?: Partial<Parts>; deadlineMs?: number; chanceDeadlineMs?: number; isDetailed?: boolean } = {},
): Promise<Outcome> {
  const startedAt = performance.now();
  const trace = new Trace({ isDetailed });
  const { keptIn, clean } = storeOf(plan);
  const parts: Parts = {
    createFlow,
    FlowClient,
    FlowYjsProvider,
    keptIn,
    hotLog: (sessionId) => new HotLog(sessionId, systemClock),
    ordering: (ordering) => ordering,
    store: (store) => store,
    ...changes,
  };
  const world = new World(plan, parts, trace);
  try {
    await world.start();
    await writeThrough(world, new Faults(world, chanceDeadlineMs));
    world.heal();
    trace.note('all faults are over');
    let convergedMs = await world.converge(deadlineMs);
    if (plan.endsMute && convergedMs !== null) convergedMs = await haveTheLastWord(world, deadlineMs);
    await checkEnd(world);
    return { plan, trace, operations: world.written, convergedMs, tookMs: performance.now() - startedAt };
  } finally {
    await world.stop();
    await clean();
  }
}

/** Everybody writes until the planned operations are written and all faults are over. */
async function writeThrough(world: World, faults: Faults): Promise<void> {
  const { plan } = world;
  const dice = new Dice(plan.seed, 'writing');
  const waiting = [...plan.faults];
  let running = 0;
  while (world.written < plan.operations || waiting.length > 0 || running > 0) {
    for (let next = waiting[0]; next && next.after <= world.written; next = waiting[0]) {
      waiting.shift();
      running += 1;
      void faults.run(next).finally(() => {
        running -= 1;
      });
    }
    dice.pick(world.authors).write(dice.between(0, plan.sessions.length - 1), dice.between(1, MAX_WRITTEN_AT_ONCE));
    // Beyond the plan only so that faults which wait for their chance get one.
    await elapsed(world.written < plan.operations ? dice.between(0, 12) : 20);
  }
}

/** DL3: with every hint lost, what is written last reaches everybody through the audit. */
async function haveTheLastWord(world: World, deadlineMs: number): Promise<number | null> {
  const dice = new Dice(world.plan.seed, 'last word');
  for (const { ordering } of world.slots) ordering.isMute = true;
  for (let index = 0; index < LAST_WORD; index += 1) {
    const writing = world.authors.filter(({ isReader }) => !isReader);
    dice.pick(writing).write(dice.between(0, world.sessions.length - 1), 1);
  }
  world.trace.note('hints are mute, the last operations are written');
  const tookMs = await world.converge(deadlineMs);
  if (world.slots.length > 1 && (world.trace.counts['lost hints'] ?? 0) === 0) {
    world.trace.violated('fault', 'no hint was lost while all were to be');
  }
  return tookMs;
}

function storeOf({ store }: Plan): { keptIn: DocumentStore; clean: () => Promise<void> } {
  if (store === 'memory') return { keptIn: new MemoryDocumentStore(), clean: async () => {} };
  const directory = mkdtempSync(join(tmpdir(), 'flow-schedule-'));
  return {
    keptIn: lmdbStore(directory, { durability: 'buffered' }),
    clean: () => rm(directory, { recursive: true, force: true }),
  };
}
