import { FAULTS, type Fault, type FaultName } from './redis-faults';
import { replayThrough } from './redis-faulty-replay';
import type { AnyRedis } from './redis-topology';
import type { World } from './redis-world';
import { Dice } from './schedule/dice';
import { brokenServer, type Processes } from './server-process';

const KINDS = ['single', 'sentinel', 'cluster'] as const;
/** One after the other … */
const FOREGROUND = 4;
/** … and these meanwhile. */
const BACKGROUND = 3;
const EDITS = 6_000;
/** Of each author: typing goes on for as long as the faults do. */
const PER_SECOND = 45;
const FAULT_AFTER = 200;
/** Between two faults, so that each seed has its own moments. */
const MAX_PAUSE_MS = 1_500;
/** Several failovers in a row may stop everybody for a while. */
const STALL_MS = 90_000;

/** What a seed stands for. */
export interface Mixture {
  readonly seed: number;
  readonly kind: AnyRedis['kind'];
  readonly instances: number;
  readonly foreground: readonly FaultName[];
  readonly background: readonly FaultName[];
}

export interface MixtureOutcome {
  readonly mixture: Mixture;
  readonly counts: Readonly<Partial<Record<FaultName, number>>>;
  readonly problems: readonly string[];
  /** What the instances said last; of those that ended equal nobody wants to know. */
  readonly lines: readonly string[];
  readonly edits: number;
  readonly seconds: number;
  readonly reopenings: number;
  /** Opened in all. */
  readonly epochs: number;
  readonly savedLagMs: { readonly p50: number; readonly p99: number };
}

export function makeMixture(seed: number): Mixture {
  const dice = new Dice(seed, 'mixture');
  const kind = KINDS[seed % KINDS.length] ?? 'single';
  const instances = 2 + (Math.floor(seed / KINDS.length) % 2);
  const possible = (Object.keys(FAULTS) as FaultName[]).filter((name) => faultOf(name).on.includes(kind));
  const draw = (names: readonly FaultName[], count: number): FaultName[] => {
    const left = [...names];
    return Array.from({ length: Math.min(count, left.length) }, () => {
      const name = dice.pick(left);
      left.splice(left.indexOf(name), 1);
      return name;
    });
  };
  return {
    seed,
    kind,
    instances,
    foreground: draw(
      possible.filter((name) => !faultOf(name).isBackground),
      FOREGROUND,
    ),
    background: draw(
      possible.filter((name) => faultOf(name).isBackground),
      BACKGROUND,
    ),
  };
}

const faultOf = (name: FaultName): Fault => FAULTS[name];

/** Runs a mixture to its end; what went wrong is in the outcome. */
export async function runMixture(mixture: Mixture, processes: Processes): Promise<MixtureOutcome> {
  const counts: Partial<Record<FaultName, number>> = {};
  let reopenings = 0;
  let epochs = 0;
  const lane = async (world: World, names: readonly FaultName[], dice: Dice): Promise<void> => {
    for (const name of names) {
      await world.lasts(dice.between(0, MAX_PAUSE_MS));
      if (world.isBroken) return;
      try {
        counts[name] = (counts[name] ?? 0) + (await faultOf(name).happen(world, dice.for(name)));
      } catch (cause) {
        throw new Error(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
  };
  const dice = new Dice(mixture.seed);
  const { report, servers } = await replayThrough({
    processes,
    kind: mixture.kind,
    instances: mixture.instances,
    seed: mixture.seed,
    edits: EDITS,
    perSecond: PER_SECOND,
    faultAfter: FAULT_AFTER,
    stallMs: STALL_MS,
    command: brokenServer('refusing-store'),
    async happen(world) {
      await Promise.all([
        lane(world, mixture.foreground, dice.for('foreground')),
        lane(world, mixture.background, dice.for('background')),
      ]);
      ({ reopenings } = world);
      epochs = (await world.hot()).epoch;
    },
  });
  const { problems, edits, seconds, savedLagMs } = report;
  const missing = [...mixture.foreground, ...mixture.background].filter((name) => (counts[name] ?? 0) < 1);
  const found = [...problems, ...missing.map((name) => `this did not happen: ${name}`)];
  return {
    mixture,
    counts,
    problems: found,
    lines: found.length === 0 ? [] : servers.flatMap(({ lines }) => lines),
    edits,
    seconds,
    reopenings,
    epochs,
    savedLagMs,
  };
}
