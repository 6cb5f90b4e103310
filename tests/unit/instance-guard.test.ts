import { type Instance } from '../../src/instances/instance';
import { InstanceGuard } from '../../src/instances/instance-guard';
import { systemClock } from '../../src/lib/clock';
import { instanceNamed } from '../contract/instance-registry.contract';
import { eventually } from '../support/eventually';
import { ManualClock } from '../support/manual-clock';
import { logLines } from '../support/log-lines';

const SERVICES = ['websockets', 'collaboration', 'eventOrdering'] as const;
type Service = (typeof SERVICES)[number];

const on = (isOnRedis: (service: Service) => boolean): Record<Service, string> => ({
  websockets: isOnRedis('websockets') ? 'redis' : 'memory',
  collaboration: isOnRedis('collaboration') ? 'redis' : 'memory',
  eventOrdering: isOnRedis('eventOrdering') ? 'redis' : 'memory',
});
const REDIS = on(() => true);
const MEMORY = on(() => false);

const instance = (instanceId: string, fields: Partial<Instance> = {}): Instance =>
  instanceNamed(instanceId, { backends: REDIS, configured: REDIS, ...fields });

/** Why `self` waits beside those who came before it; null: it does not. */
async function reasonBeside(self: Instance, ...before: Instance[]): Promise<string | null> {
  const guard = new InstanceGuard({
    self: async () => self,
    isStopping: () => false,
    clock: new ManualClock(),
    log: logLines().log,
  });
  let hasPassed = false;
  void guard.pass({ before: async () => before }).then(() => {
    hasPassed = true;
  });
  await eventually('it has decided', () => hasPassed || guard.reason !== null);
  return guard.reason;
}

test('two with everything in Redis and one store run side by side', async () => {
  expect(await reasonBeside(instance('b'), instance('a'))).toBeNull();
});

/** Every pair of flags: 64 of them. */
const COMBINATIONS = Array.from({ length: 8 }, (_, bits) =>
  on((service) => ((bits >> SERVICES.indexOf(service)) & 1) === 1),
);

test('of all 64 pairs of flags only all on both pass', async () => {
  const passed: unknown[] = [];
  for (const here of COMBINATIONS) {
    for (const there of COMBINATIONS) {
      const self = instance('b', { backends: here, configured: here });
      const reason = await reasonBeside(self, instance('a', { backends: there, configured: there }));
      if (reason === null) passed.push([here, there]);
    }
  }
  expect(passed).toEqual([[REDIS, REDIS]]);
});

test('what is to be set, and where, is said', async () => {
  const rolledBack = { ...REDIS, eventOrdering: 'memory', websockets: 'memory' };
  expect(
    await reasonBeside(
      instance('b', {
        backends: { ...REDIS, collaboration: 'memory' },
        configured: { ...REDIS, collaboration: 'memory' },
      }),
      instance('a', { backends: rolledBack, configured: rolledBack }),
    ),
  ).toBe(
    'Instance a (pid 100 on host-of-a) serves the same documents, and not everything the two share is in Redis: ' +
      'set USE_REDIS_COLLABORATION=true here and set USE_REDIS_WEBSOCKETS=true, USE_REDIS_EVENT_ORDERING=true there, or stop that one. Waiting.',
  );
});

test('one that fell back to memory has its flags set: another setting is named', async () => {
  const fallen = { backends: MEMORY, configured: REDIS };
  const reason = await reasonBeside(instance('b', fallen), instance('a'));
  expect(reason).toContain('set REDIS_FALLBACK=exit here');
  expect(reason).not.toContain('USE_REDIS');
  expect(await reasonBeside(instance('b'), instance('a', fallen))).toContain('set REDIS_FALLBACK=exit there');
});

test('with everything in Redis two stores are one too many', async () => {
  const reason = await reasonBeside(instance('b', { store: 'another file' }), instance('a'));
  expect(reason).toContain('set DOCUMENT_DIR of both to one directory of one machine');
  expect(reason).toContain('REDIS_KEY_PREFIX');
});

test('a namesake is told from others whatever it runs on', async () => {
  expect(await reasonBeside(instance('a'), instance('a'))).toMatch(/set INSTANCE_ID to a name of its own/);
});

test('it says each reason once, goes on when nobody is in the way, and not while that cannot be said', async () => {
  const { lines, log } = logLines();
  const guard = new InstanceGuard({
    self: async () => instance('c'),
    isStopping: () => false,
    clock: { ...systemClock, after: (_, run) => systemClock.after(1, run) },
    log,
  });
  const memory = { backends: MEMORY, configured: MEMORY };
  let before: Instance[] | null = [instance('a', memory)];
  let looks = 0;
  let hasPassed = false;
  const passed = guard.pass({
    before: async () => {
      looks += 1;
      return before;
    },
  });
  void passed.then(() => {
    hasPassed = true;
  });
  const lookAgain = async (): Promise<void> => {
    const seen = looks;
    await eventually('it has looked again, twice', () => looks >= seen + 2);
  };
  await lookAgain();
  before = null;
  await lookAgain();
  expect([hasPassed, guard.reason]).toEqual([false, expect.stringContaining('Instance a ')]);
  before = [instance('b', memory)];
  await lookAgain();
  before = [];
  await passed;
  expect(guard.reason).toBeNull();
  expect(lines.map(({ msg }) => msg)).toEqual([
    expect.stringContaining('Instance a '),
    expect.stringContaining('Instance b '),
    'no other instance is in the way any more: starting',
  ]);
});
