import { fuzz, harmOf } from '../support/fuzz/run';
import { Processes } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

test('seed 1: 5,000 hostile acts by members: the server lives and complains of nothing, and two editors go on', async () => {
  expect(harmOf(await fuzz(processes, 1, 5_000))).toEqual([]);
}, 120_000);
