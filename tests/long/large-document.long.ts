import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(__dirname, '../..');
const TSX = path.join(ROOT, 'node_modules/tsx/dist/cli.mjs');
/** What is promised. The server has a core to itself here, so that only its own work counts. */
const MAX_DELAY_MS = 50;

interface Step {
  readonly what: string;
  readonly maxDelayMs: number;
}

/** Beside other work on the machine its delays are those of the others. */
test('[ST9] writing, joining, folding and reading a document of 260,000 edits never hold up the event loop for 50 ms', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, [TSX, path.join(ROOT, 'bench/run.ts'), 'join'], {
    cwd: ROOT,
  });
  const [, file = ''] = /^join: \d+ s, (.+\.json)$/m.exec(stderr) ?? [];
  const { steps } = (JSON.parse(await readFile(file, 'utf8')) as { figures: { steps: readonly Step[] } }).figures;
  expect(steps.map(({ what }) => what)).toEqual([
    'written, snapshots folded on the way',
    'joined while open',
    'closed when idle, last snapshot folded',
    'joined after that',
    'read as text over HTTP',
    'written, nothing folded',
    'joined without a snapshot',
    'read as text over HTTP without a snapshot',
  ]);
  expect(steps.filter(({ maxDelayMs }) => maxDelayMs >= MAX_DELAY_MS)).toEqual([]);
});
