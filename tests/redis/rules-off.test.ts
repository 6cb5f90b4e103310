import { DELIVERY_SCENES } from '../support/redis-scenes/delivery';
import { OPENING_SCENES } from '../support/redis-scenes/opening';
import { ORDER_SCENES } from '../support/redis-scenes/order';
import { SAVING_SCENES } from '../support/redis-scenes/saving';
import { play } from '../support/redis-scenes/scene';
import { bothSave, NO_LEASE } from '../support/redis-scenes/two-savers';
import { SPLIT_BRAIN_SCENES } from '../support/redis-scenes/split-brain';

/** Two plays of a scene, beside those of other rules, on a busy machine. */
const DEADLINE_MS = 90_000;

const SCENES = [...ORDER_SCENES, ...OPENING_SCENES, ...SAVING_SCENES, ...DELIVERY_SCENES, ...SPLIT_BRAIN_SCENES];

describe('on Redis a scene that ends well breaks where a rule is not kept, and names what breaks', () => {
  test.concurrent.each(SCENES.map((scene) => [scene.rule, scene.instead, scene] as const))(
    '[%s] %s',
    async (_rule, _instead, { scene, breaks, staging = {}, off }) => {
      expect(await play(scene, staging)).toEqual([]);
      const broken = await play(scene, { ...staging, ...off(), expected: breaks });
      expect(broken.map(({ invariant }) => invariant)).toContain(breaks);
    },
    DEADLINE_MS,
  );
});

test(
  '[SV1] two savers at once do no harm',
  async () => {
    expect(await play(bothSave, { changes: NO_LEASE })).toEqual([]);
  },
  DEADLINE_MS,
);
