import { EDITORS, runAuthors } from './support/authors';
import { useWorld } from './support/world';

const world = useWorld();
const SEEDS = Array.from({ length: 100 }, (_, index) => index + 1_000);

describe.each(EDITORS)('three authors with $name', ({ open }) => {
  test.each(SEEDS)(
    '[EO4] [CL2] seed %i: random edits, cuts and a killed server: nothing lost, doubled or torn',
    async (seed) => {
      const { faults, unsavedAtKill, forks } = await runAuthors(world(), open, seed);
      expect(faults).toEqual([]);
      expect(Math.min(unsavedAtKill, forks)).toBeGreaterThan(0);
    },
  );
});
