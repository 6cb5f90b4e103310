import { cp, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { health } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { ask, Processes, ROOT } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

/** What the server is built from; the rest of a checkout is for those who work on it. */
const SOURCES = ['config', 'src', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'];
/** It builds first, on a machine that is busy with other tests. */
const DEADLINE_MS = 180_000;

test(
  'in a fresh checkout, npm start builds what is missing, says where it listens, and keeps documents in ./data',
  async () => {
    const checkout = await processes.directory();
    for (const source of SOURCES) await cp(join(ROOT, source), join(checkout, source), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));

    const npm = await processes.launch(['npm', 'start'], {
      cwd: checkout,
      env: { PORT: '0', HOME: await processes.directory() },
    });
    const [, url = ''] = await npm.line(/"msg":"Flow Backend listens on (http:\/\/localhost:\d+)"/);
    const { status, body } = await ask(`${url}/health`, health);
    expect({ status, store: body.store.kind }).toEqual({ status: 200, store: 'lmdb' });
    expect(await readdir(join(checkout, 'data'))).toContain('documents.mdb');

    expect(await npm.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await eventually('nobody listens any more', async () => {
      await expect(fetch(url)).rejects.toThrow();
    });
  },
  DEADLINE_MS,
);
