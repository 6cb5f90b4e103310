import { Redis } from 'ioredis';
import { health, stats } from '../../src/http/schemas';
import { loadConfig } from '../../config/load-config';
import { RedisKeys } from '../../src/redis/keys';
import { FIELD } from '../../src/tools/traces';
import { yjsText } from '../support/documents';
import { eventually } from '../support/eventually';
import { Pm2 } from '../support/pm2';
import { RedisServer } from '../support/redis-server';
import { ask, portToComeBackTo, Processes, type Variables } from '../support/server-process';
import { readStore } from '../support/server-process-kills';
import { demandOneText, gatherTypists, type Typist } from '../support/typist';

const processes = new Processes();
let redis: RedisServer;
beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const DEADLINE_MS = 180_000;
/** One word per typist and so many milliseconds. */
const WORD_MS = 25;
/** Words typed while the server is there, at each stage: every stage does some of the work. */
const WORDS_PER_STAGE = 40;

interface Stage {
  readonly what: string;
  readonly collaboration: boolean;
  readonly websockets: boolean;
  readonly eventOrdering: boolean;
}

const OFF: Stage = { what: 'all off', collaboration: false, websockets: false, eventOrdering: false };
/** Week by week, back in one step, and on again. */
const STAGES: readonly Stage[] = [
  { what: 'collaboration', collaboration: true, websockets: false, eventOrdering: false },
  { what: '+ websockets', collaboration: true, websockets: true, eventOrdering: false },
  { what: '+ event ordering', collaboration: true, websockets: true, eventOrdering: true },
  { ...OFF, what: 'rollback' },
  { what: 'all on again', collaboration: true, websockets: true, eventOrdering: true },
];

const flagsOf = ({ collaboration, websockets, eventOrdering }: Stage): Variables => ({
  USE_REDIS_COLLABORATION: String(collaboration),
  USE_REDIS_WEBSOCKETS: String(websockets),
  USE_REDIS_EVENT_ORDERING: String(eventOrdering),
});

/** /health and /ws/stats name what the stage asks for. */
async function demandBackends(url: string, stage: Stage): Promise<void> {
  const names = ['collaboration', 'websockets', 'eventOrdering'] as const;
  const expected = Object.fromEntries(names.map((name) => [name, stage[name] ? 'redis' : 'memory']));
  const { body } = await ask(`${url}/health`, health);
  expect(Object.fromEntries(names.map((name) => [name, body.services[name].backend]))).toEqual(expected);
  expect((await ask(`${url}/ws/stats`, stats)).body.backends).toMatchObject(expected);
}

/** The ways in which a server takes up an edited `.env`. */
const RESTARTS: Readonly<Record<string, (pm2: Pm2) => Promise<unknown>>> = {
  'pm2 restart backend': (pm2) => pm2.run('restart', 'backend'),
  async 'kill -9, and pm2 starts it again'(pm2) {
    const { pid } = await pm2.backend();
    process.kill(pid, 'SIGKILL');
    await eventually('pm2 has started another one', async () => {
      const now = await pm2.backend();
      expect(now.pid).not.toBe(pid);
      expect(now.pm2_env.status).toBe('online');
    });
  },
};

/** Until all have typed some more, and it was delivered. */
async function someWork(typists: readonly Typist[]): Promise<void> {
  await Promise.all(typists.map((typist) => typist.synced()));
  const before = typists.map(({ words }) => words.length);
  await eventually(
    'work in this stage',
    () => typists.every(({ words }, index) => words.length >= (before[index] ?? 0) + WORDS_PER_STAGE),
    30_000,
  );
}

test.each(Object.entries(RESTARTS))(
  'services move to Redis one by one, back in one step, and there again (%s), while two people type into one document: every edit is there once',
  async (_how, restart) => {
    const port = await portToComeBackTo();
    const settings = { HOST: '127.0.0.1', PORT: String(port), REDIS_URL: redis.url };
    const url = `http://127.0.0.1:${port}`;
    const pm2 = await Pm2.install(processes, { ...settings, ...flagsOf(OFF) });
    await pm2.run('start', 'ecosystem.config.js');
    await demandBackends(url, OFF);
    const { sessionId, typists } = await gatherTypists(processes, [url], ['ada', 'bob']);
    for (const typist of typists) typist.type(WORD_MS);
    const look = new Redis(redis.port, '127.0.0.1');
    processes.onClean(async () => look.disconnect());
    const keys = new RedisKeys(loadConfig({}).redis.keyPrefix);
    const hotLog = [keys.orderingMeta(sessionId), keys.orderingLog(sessionId), keys.orderingClients(sessionId)];
    const epochInRedis = async () => Number(await look.hget(keys.orderingMeta(sessionId), 'epoch'));

    await someWork(typists);
    const epochs: number[] = [];
    for (const stage of STAGES) {
      const alone = typists.map(({ wordsAlone }) => wordsAlone);
      await pm2.edit({ ...settings, ...flagsOf(stage) });
      await restart(pm2);
      await eventually(`the server of stage ${stage.what}`, () => demandBackends(url, stage));
      await someWork(typists);
      typists.forEach(({ wordsAlone }, index) => expect(wordsAlone).toBeGreaterThan(alone[index] ?? 0));
      // A Redis that keeps what the server has left there: the order of an earlier stage.
      for (const key of hotLog) await look.persist(key);
      epochs.push(await epochInRedis());
    }
    // While the order was in memory Redis kept the old one, and was not believed afterwards.
    const [, , ordered = 0, rolledBack, orderedAgain] = epochs;
    expect(ordered).toBeGreaterThan(0);
    expect(rolledBack).toBe(ordered);
    expect(orderedAgain).toBeGreaterThan(ordered + 1);

    const text = await demandOneText(typists);
    const served = await fetch(`${url}/api/sessions/${sessionId}/document?as=text&field=${FIELD}`);
    expect(await served.text()).toBe(text);
    await pm2.run('stop', 'backend');
    const stored = await readStore(pm2.documents, sessionId);
    const operations = stored.flatMap((entry): string[] => JSON.parse(entry.operations));
    expect(yjsText(operations)).toBe(text);
    // Yjs would not mind one that came twice.
    expect(new Set(operations).size).toBe(operations.length);
  },
  DEADLINE_MS,
);
