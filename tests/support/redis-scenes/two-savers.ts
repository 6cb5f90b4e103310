import type { SourceChange } from '../schedule/changed-source';
import type { Scene } from './scene';

/** Everybody who asks for the lease gets it. */
export const NO_LEASE: readonly SourceChange[] = [
  { folder: 'src/ordering', find: 'if holder and holder ~= ARGV[1] then return 0 end\n', replace: '' },
];

const ROUNDS = 20;

export const bothSave: Scene = async (stage) => {
  const { near, far } = stage;
  await stage.watch(near, far);
  const [ada, bob] = [await stage.author(near, 'ada'), await stage.author(far, 'bob')];
  for (let round = 1; round <= ROUNDS; round += 1) await Promise.all([ada.write(), bob.write()]);
  await stage.saved(2 * ROUNDS);
  await stage.until('both to have saved', () => near.store.counts.saves > 1 && far.store.counts.saves > 1);
};
