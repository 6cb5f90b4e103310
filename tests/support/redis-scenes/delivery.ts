import type { RuleInScene } from './scene';
import { NO_AUDIT } from './stage';

export const DELIVERY_SCENES: readonly RuleInScene[] = [
  {
    rule: 'DL2',
    instead: 'the gate lets everything newer pass',
    breaks: 'delivered',
    staging: { far: NO_AUDIT },
    off: () => ({
      changes: [
        {
          folder: 'src/live',
          find: "    if (prevSeq > this.#head.seq) return 'hole';\n    if (prevSeq < this.#head.seq || entry.prevTag !== this.#head.tag) return 'break';\n",
          replace: '',
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near, far);
      const ada = await stage.author(near, 'ada');
      await stage.loseHints(far, 1, () => ada.write());
      await ada.write();
      await stage.heard(far, 2);
    },
  },
  {
    rule: 'DL3',
    instead: 'there is no audit',
    breaks: 'wait',
    off: () => ({ far: NO_AUDIT }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near, far);
      const ada = await stage.author(near, 'ada');
      // The operation, and that it is saved.
      await stage.loseHints(far, 2, () => ada.write());
      await stage.within('far to learn of it in silence', () => far.probe.chain.head.seq === 1);
    },
  },
];
