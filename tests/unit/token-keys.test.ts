import { jwtAuthenticate } from '../../src/access/jwt-access';
import { RemoteKeys } from '../../src/access/token-keys';
import { silentLogger } from '../../src/lib/logger';
import { eventually } from '../support/eventually';
import { IdentityProvider } from '../support/identity-provider';
import { ManualClock } from '../support/manual-clock';

let provider: IdentityProvider;
beforeEach(async () => {
  provider = await IdentityProvider.start();
  await provider.add('first');
});
afterEach(() => provider.close());

function begin() {
  const clock = new ManualClock(Date.now());
  const keys = new RemoteKeys({ url: provider.url, clock, log: silentLogger });
  const authenticate = jwtAuthenticate({ keys, issuer: undefined, audience: undefined, maxTokenMs: 86_400_000, clock });
  const show = async (kid: string): Promise<string> => {
    const token = await provider.token(kid, { ttl: 80_000 });
    try {
      await authenticate({ token, address: '', userAgent: '', via: 'http' });
      return 'let in';
    } catch (fault) {
      return fault instanceof Error && 'code' in fault ? String(fault.code) : String(fault);
    }
  };
  return { clock, show };
}

test('a key that was withdrawn is refused ten minutes later, without anybody waiting for the provider', async () => {
  const { clock, show } = begin();
  await provider.add('second');
  expect([await show('first'), await show('second')]).toEqual(['let in', 'let in']);
  provider.withdraw('first');
  clock.advance(600_001);
  // This one sets the reading going.
  expect(await show('first')).toBe('let in');
  await eventually('it is refused', async () => expect(await show('first')).toBe('UNAUTHENTICATED'));
  expect(await show('second')).toBe('let in');
});

test('tokens with unknown keys make the provider be asked once in ten seconds', async () => {
  const { clock, show } = begin();
  await provider.add('foreign', 'ES256', false);
  expect(await show('first')).toBe('let in');
  for (let second = 0; second < 30; second += 1) {
    expect(await show('foreign')).toBe('UNAUTHENTICATED');
    clock.advance(1_000);
  }
  expect(provider.asked).toBe(1 + 3);
  provider.publish('foreign');
  expect(await show('foreign')).toBe('let in');
});

test('while the provider is away, the known keys go on for as long as that takes, and it is asked once per second', async () => {
  const { clock, show } = begin();
  expect(await show('first')).toBe('let in');
  provider.answer = { status: 503, body: '' };
  for (let hour = 0; hour < 5; hour += 1) {
    clock.advance(3_600_000);
    expect(await show('first')).toBe('let in');
  }
  await provider.add('second');
  const before = provider.asked;
  for (let count = 0; count < 5; count += 1) expect(await show('second')).toBe('BACKEND_UNAVAILABLE');
  expect(provider.asked - before).toBeLessThanOrEqual(1);
  provider.answer = undefined;
  clock.advance(1_000);
  expect(await show('second')).toBe('let in');
});
