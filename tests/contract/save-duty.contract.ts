import type { SaveDuty } from '../../src/ordering/save-duty';

/** What every save duty promises to one instance. What several share is their backends' own. */
export function saveDutyContract(
  backend: string,
  start: () => Promise<{ duty: SaveDuty; stop(): Promise<void> }>,
): void {
  describe(`save duty on ${backend}`, () => {
    let duty: SaveDuty;
    let stop: () => Promise<void>;

    beforeAll(async () => {
      ({ duty, stop } = await start());
    });

    afterAll(() => stop());

    test('[SV1] who is alone is granted every lease it claims, and keeps those it claims again', async () => {
      expect(await duty.claim(['a', 'b'])).toEqual(new Set(['a', 'b']));
      expect(await duty.claim(['b', 'c'])).toEqual(new Set(['b', 'c']));
      expect(await duty.claim([])).toEqual(new Set());
      await duty.release(['a', 'b', 'c']);
    });

    test('[SV1] a lease that was given back can be claimed again; one that was never held is passed over', async () => {
      await duty.claim(['a']);
      await duty.release(['a', 'never held']);
      await duty.release(['a']);
      await duty.release([]);
      expect(await duty.claim(['a'])).toEqual(new Set(['a']));
      await duty.release(['a']);
    });

    test('[SV2] what somebody holds is no orphan', async () => {
      await duty.claim(['a']);
      expect(await duty.orphans()).not.toContain('a');
      await duty.release(['a']);
    });
  });
}
