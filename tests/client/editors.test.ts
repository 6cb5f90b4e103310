import { EDITORS, runAuthors } from './support/authors';
import { useWorld } from './support/world';

const world = useWorld();

describe.each(EDITORS)('three authors with $name', ({ open }) => {
  test.each([1, 2, 3])(
    '[EO4] [CL2] seed %i: random edits, cuts and a killed server: nothing lost, doubled or torn',
    async (seed) => {
      const { faults, cuts, unsavedAtKill, forks, stale } = await runAuthors(world(), open, seed);
      expect(faults).toEqual([]);
      expect(cuts).toBe(6);
      expect(Math.min(unsavedAtKill, forks, stale)).toBeGreaterThan(0);
    },
  );
});
