import { fuzz } from '../support/fuzz/run';
import { Processes } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

/** Ten times what a run that only grows by caches needs. */
const MAX_GROWTH_MEGABYTES = 300;

test('seed 1: 5,000 hostile acts by members: the server lives and complains of nothing, and two editors go on', async () => {
  const { faults, answers, acts, residentMegabytes, strokes } = await fuzz(processes, 1, 5_000);
  expect(faults).toEqual([]);
  expect(answers.refused['INTERNAL']).toBeUndefined();
  expect(residentMegabytes.after - residentMegabytes.before).toBeLessThan(MAX_GROWTH_MEGABYTES);
  expect(strokes).toBeGreaterThan(100);
  // The control: all of it was done, and met every kind of answer.
  expect(Math.min(...Object.values(acts))).toBeGreaterThan(100);
  expect(Math.min(answers.ok, answers.cutOff, answers.refused['BAD_REQUEST'] ?? 0)).toBeGreaterThan(100);
}, 120_000);
