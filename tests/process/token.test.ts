import { decodeJwt } from 'jose';
import { join } from 'node:path';
import { AUDIENCE, ISSUER, SECRET } from '../support/identity-provider';
import { Processes, ROOT, type Variables } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const TOKEN = join(ROOT, 'dist/src/tools/token.js');
const processes = new Processes();
afterEach(() => processes.clean());

const settings: Variables = { AUTH_MODE: 'jwt', AUTH_JWT_SECRET: SECRET, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE };

test('npm run token prints a token that the server of the same settings accepts', async () => {
  const { code, output } = await processes.run(TOKEN, ['--user', 'ann', '--ttl', '2h', '--admin'], { env: settings });
  expect(code).toBe(0);
  const { sub, iat = 0, exp = 0, roles } = decodeJwt(output);
  expect([sub, exp - iat, roles]).toEqual(['ann', 7_200, ['flow-admin']]);
  const server = await processes.startServer({ documents: await processes.directory(), env: settings });
  const client = await WireClient.connect(server.url, { auth: { token: output } });
  expect((await client.demand('session:create', {})).session.createdBy).toBe('ann');
  client.close();
  expect(server.lines.join('\n')).not.toContain(output);
});

test('without AUTH_MODE it makes one, too; each is another device', async () => {
  const tokens = [];
  for (let count = 0; count < 2; count += 1) {
    const { output } = await processes.run(TOKEN, ['--user', 'ann'], { env: { AUTH_JWT_SECRET: SECRET } });
    tokens.push(decodeJwt(output).jti);
  }
  expect(new Set(tokens).size).toBe(2);
});

test.each<[string, readonly string[], Variables, RegExp]>([
  ['nobody', [], settings, /--user is missing/],
  ['a time that is none', ['--user', 'ann', '--ttl', 'soon'], settings, /--ttl must be a number and s, m, h or d/],
  ['too long a time', ['--user', 'ann', '--ttl', '40d'], settings, /--ttl must be at most 2592000s/],
  ['an option that is none', ['--usr', 'ann'], settings, /--usr/],
  ['no secret', ['--user', 'ann'], {}, /AUTH_JWT_SECRET/],
  ['a short secret', ['--user', 'ann'], { AUTH_JWT_SECRET: 'short' }, /AUTH_JWT_SECRET: must be at least 32 bytes/],
])('for %s it says what is wrong', async (_what, args, env, message) => {
  const { code, output } = await processes.run(TOKEN, args, { env });
  expect(code).toBe(2);
  expect(output).toMatch(message);
});
