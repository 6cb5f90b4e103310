import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import type { Hint } from '../../src/ordering/event-ordering';
import { markOf } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import { ManualClock } from '../support/manual-clock';
import { eventOrderingContract } from './event-ordering.contract';

for (const scope of ['process', 'shared'] as const) {
  eventOrderingContract(`memory, scope ${scope}`, async () => {
    const ordering = new MemoryEventOrdering({ clock: new ManualClock(), scope });
    return { one: ordering, other: ordering, stop: async () => {} };
  });
}

describe('what only memory promises', () => {
  const submission = { epoch: 1, clientId: 'a', userId: 'u', firstClientSeq: 1, count: 1, operations: '["x"]' };

  async function begin(): Promise<{ ordering: MemoryEventOrdering; clock: ManualClock }> {
    const clock = new ManualClock(1_000);
    const ordering = new MemoryEventOrdering({ clock });
    await ordering.seed('s', 1, GENESIS);
    await ordering.admit('s', 1, 'a', null);
    return { ordering, clock };
  }

  test('[EO6] an append is done, and told, in the turn in which it is called', async () => {
    const { ordering } = await begin();
    const hints: Hint[] = [];
    await ordering.follow('s', (hint) => hints.push(hint));
    const appended = ordering.append('s', submission);
    expect(hints).toHaveLength(1);
    await appended;
  });

  test('an entry bears the time of the clock', async () => {
    const { ordering, clock } = await begin();
    clock.advance(234);
    expect(await ordering.append('s', submission)).toMatchObject({ entry: { at: 1_234 } });
  });

  test('[DL8] what is saved is let go of at once, and a released session leaves nothing', async () => {
    const { ordering } = await begin();
    const unfollow = await ordering.follow('s', () => {});
    const result = await ordering.append('s', submission);
    if (result.status !== 'accepted') throw new Error(result.status);
    await ordering.markSaved('s', { epoch: 1, ...markOf(result.entry) });
    expect((await ordering.read('s', 0, 1_000))?.entries).toEqual([]);
    await ordering.release('s');
    expect(await ordering.describe(['s'])).not.toEqual([null]);
    await unfollow();
    await ordering.release('s');
    expect(await ordering.describe(['s'])).toEqual([null]);
  });

  describe('[EO11] clients that have gone', () => {
    const many = async (ordering: MemoryEventOrdering, name: string, count: number): Promise<void> => {
      for (let client = 0; client < count; client += 1) await ordering.admit('s', 1, `${name}-${client}`, null);
    };

    test('are forgotten when there are many, and come back with what the store knows of them', async () => {
      const { ordering, clock } = await begin();
      const first = await ordering.append('s', submission);
      if (first.status !== 'accepted') throw new Error(first.status);
      const { entry } = first;
      await ordering.markSaved('s', { epoch: 1, ...markOf(entry) });
      clock.advance(61_000);
      await many(ordering, 'newer', 2_000);
      expect(await ordering.append('s', submission)).toEqual({ status: 'client-unknown' });
      const { clientSeq, seq, count, prevTag, tag } = entry;
      expect(await ordering.admit('s', 1, 'a', { clientSeq, seq, count, prevTag, tag })).toEqual({
        lastClientSeq: 1,
        seq: 1,
      });
      expect(await ordering.append('s', submission)).toEqual({ status: 'duplicate', epoch: 1, seq: 1 });
      // Those that came a moment ago are still known.
      const fresh = { ...submission, clientId: 'newer-0' };
      expect(await ordering.append('s', fresh)).toMatchObject({ status: 'accepted' });
    });

    test('stay known while the store does not have what they wrote', async () => {
      const { ordering, clock } = await begin();
      await ordering.append('s', submission);
      clock.advance(61_000);
      await many(ordering, 'newer', 2_000);
      expect(await ordering.append('s', submission)).toEqual({ status: 'duplicate', epoch: 1, seq: 1 });
    });

    test('take no memory for ever: as many come and go, no more are known than came lately', async () => {
      const { ordering, clock } = await begin();
      for (let round = 0; round < 20; round += 1) {
        await many(ordering, `round-${round}`, 1_000);
        clock.advance(61_000);
      }
      let known = 0;
      for (let round = 0; round < 20; round += 1) {
        const visitor = { ...submission, clientId: `round-${round}-0`, base: { seq: 9, tag: '0123456789abcdef' } };
        if ((await ordering.append('s', visitor)).status !== 'client-unknown') known += 1;
      }
      expect(known).toBeLessThanOrEqual(2);
    });
  });
});
