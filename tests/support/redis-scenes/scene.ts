import type { Invariant, Violation } from '../schedule/trace';
import { Stage, type Staging } from './stage';

/** A rule that is switched off, and a scene in which that breaks something, every time. */
export interface RuleInScene {
  readonly rule: string;
  /** What is done instead. */
  readonly instead: string;
  readonly breaks: Invariant;
  /** How the scene is played, with the rule and without. */
  readonly staging?: Staging;
  /** What switches the rule off. */
  readonly off: () => Staging;
  readonly scene: Scene;
}

/** What happens, step by step. It ends when the fault is over; what must come of it, `Stage.end` says. */
export type Scene = (stage: Stage) => Promise<void>;

export async function play(scene: Scene, staging: Staging): Promise<readonly Violation[]> {
  const stage = await Stage.start(staging);
  try {
    await scene(stage);
    return await stage.end();
  } finally {
    await stage.stop();
  }
}
