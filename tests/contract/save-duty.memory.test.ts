import { MemorySaveDuty } from '../../src/ordering/memory-save-duty';
import { saveDutyContract } from './save-duty.contract';

saveDutyContract('memory', async () => ({ duty: new MemorySaveDuty(), stop: async () => {} }));

test('[SV2] one process leaves no orphans', async () => {
  expect(await new MemorySaveDuty().orphans()).toEqual([]);
});
