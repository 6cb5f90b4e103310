import { silentLogger } from '../../src/lib/logger';
import { DocumentSize } from '../../src/live/document-size';
import { ManualClock } from '../support/manual-clock';

const MAX_BYTES = 1_000;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let clock: ManualClock;
let stored: number;
let measured: number;
let size: DocumentSize;
beforeEach(() => {
  clock = new ManualClock();
  [stored, measured] = [0, 0];
  size = new DocumentSize({
    maxBytes: MAX_BYTES,
    measure: async () => {
      measured += 1;
      if (stored < 0) throw new Error('the store is away');
      return stored;
    },
    clock,
    log: silentLogger,
  });
});

/** Why an edit is refused; null: it is not. */
function refusalOf(): unknown {
  try {
    size.demandRoom();
    return null;
  } catch (fault) {
    return fault;
  }
}

/** An edit is tried; answers whether it was taken. */
async function edit(bytes: number): Promise<boolean> {
  const refusal = refusalOf();
  if (refusal) {
    await settled();
    return false;
  }
  size.add(bytes);
  stored += bytes;
  await settled();
  return true;
}

test('[LM8] it is read once, with the first edit, and added up from then on', async () => {
  for (let time = 0; time < 9; time += 1) expect(await edit(100)).toBe(true);
  expect(measured).toBe(1);
});

test('[LM8] what was there before counts', async () => {
  stored = 5_000;
  expect(await edit(100)).toBe(true);
  expect(await edit(100)).toBe(false);
  expect(refusalOf()).toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('5100 bytes') });
});

test('[LM8] nobody is refused for what was only added up: deleting, and folding, make a document smaller', async () => {
  await edit(100);
  size.add(5_000);
  clock.advance(1_000);
  expect(await edit(100)).toBe(true);
  expect(measured).toBe(2);
  expect(await edit(100)).toBe(true);
});

test('[LM8] one that was too large is looked at again, but not all the time', async () => {
  stored = 5_000;
  await edit(0);
  for (let time = 0; time < 100; time += 1) expect(await edit(100)).toBe(false);
  expect(measured).toBe(1);
  stored = 100;
  clock.advance(1_000);
  expect(await edit(100)).toBe(false);
  expect(await edit(100)).toBe(true);
});

test('a store that cannot be read refuses nobody, and is not asked with every edit', async () => {
  stored = Number.NEGATIVE_INFINITY;
  for (let time = 0; time < 100; time += 1) expect(await edit(100)).toBe(true);
  expect(measured).toBe(1);
});
