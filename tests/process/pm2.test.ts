import { killMarginMs } from '../../config/stop-deadline.json';
import { stats } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { Pm2 } from '../support/pm2';
import { ask, portToComeBackTo, Processes, type Variables } from '../support/server-process';
import { readStore } from '../support/server-process-kills';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
afterEach(() => processes.clean());

async function startUnderPm2(env: Variables) {
  const port = String(await portToComeBackTo());
  const settings = { HOST: '127.0.0.1', PORT: port, ...env };
  const pm2 = await Pm2.install(processes, settings);
  await pm2.run('start', 'ecosystem.config.js');
  return { pm2, settings, url: `http://127.0.0.1:${port}` };
}

test('[ST8] pm2 stop lets the server save everything, and nothing is left of pm2 when it is killed', async () => {
  // No flush comes by itself.
  const { pm2, url } = await startUnderPm2({ SAVE_INTERVAL_MS: '60000' });
  const client = await WireClient.connect(url, { user: 'ada' });
  const { session } = await client.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  await client.demand('session:join', { sessionId });
  await client.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['one', 'two'] });
  expect(client.all('operation:saved')).toEqual([]);

  await eventually('the daemon and the server run', async () => expect(await pm2.alive()).toHaveLength(2));
  await pm2.run('stop', 'backend');
  client.close();
  const log = await pm2.log();
  expect(log).toContain('"signal":"SIGINT"');
  expect(log).toContain('"unsavedSessions":[]');
  expect((await readStore(pm2.documents, sessionId)).map(({ operations }) => operations)).toEqual(['["one","two"]']);
  await pm2.kill();
});

test('a flag that is misspelt in .env ends the server at the next restart, once, with what is wrong, and another one mends it', async () => {
  const { pm2, settings, url } = await startUnderPm2({});
  await pm2.edit({ ...settings, USE_REDIS_COLLABORATION: 'yes' });
  await pm2.run('restart', 'backend');
  // pm2 forgets the process only when it does not start another one.
  await eventually('pm2 lets it rest', async () =>
    expect(await pm2.backend()).toMatchObject({ pid: 0, pm2_env: { exit_code: 78 } }),
  );
  await pm2.edit({ ...settings, USE_REDIS_COLLABORATION: 'false' });
  await pm2.run('restart', 'backend');
  expect((await ask(`${url}/ws/stats`, stats)).status).toBe(200);
  const told = 'USE_REDIS_COLLABORATION: must be true, false, 1 or 0; it is "yes"';
  expect((await pm2.log()).split(told)).toHaveLength(2);
});

test('pm2 kills no sooner than STOP_DEADLINE_MS of .env, and reads it again with its own file', async () => {
  const { pm2, settings } = await startUnderPm2({ STOP_DEADLINE_MS: '20000' });
  expect((await pm2.backend()).pm2_env.kill_timeout).toBe(20_000 + killMarginMs);
  await pm2.edit({ ...settings, STOP_DEADLINE_MS: '30000' });
  await pm2.run('restart', 'ecosystem.config.js');
  expect((await pm2.backend()).pm2_env.kill_timeout).toBe(30_000 + killMarginMs);
});
