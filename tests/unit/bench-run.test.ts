import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(__dirname, '../..');
const TSX = path.join(ROOT, 'node_modules/tsx/dist/cli.mjs');
/** All benchmarks together take some twenty-five seconds alone on a machine. */
const DEADLINE_MS = 120_000;

const bench = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [TSX, path.join(ROOT, 'bench/run.ts'), ...args], {
    cwd: ROOT,
    timeout: DEADLINE_MS,
  });

test(
  'every benchmark runs, checks what came, and prints a table',
  async () => {
    const { stdout } = await bench('--quick');
    for (const name of ['fan-out', 'sessions', 'memory', 'join', 'ordering', 'redis'])
      expect(stdout).toContain(`### ${name} (quick`);
    for (const system of ['ws relay', 'Socket.IO relay', 'Flow', 'Socket.IO relay with redis-adapter', 'Flow on Redis'])
      expect(stdout).toContain(`\n| ${system} | `);
    expect(stdout).toContain('Checked: every edit reached every client of its session');
    expect(stdout).toContain('Checked: every joined and every read text equals the one that was typed.');
    expect(stdout).toMatch(/Node v\d+\.\d+\.\d+\. Commit /);
    expect(stdout).not.toContain('NaN');
  },
  DEADLINE_MS,
);

test('an unknown benchmark is named, with the ones there are', async () => {
  await expect(bench('fanout')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no benchmark fanout; there are fan-out, sessions, memory, join, ordering, redis'),
  });
});
