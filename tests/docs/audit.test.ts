import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../support/redis-server';
import { Processes, ROOT } from '../support/server-process';

const AUDIT = join(ROOT, 'scripts/audit.js');
const processes = new Processes();
const registries: Server[] = [];
afterEach(async () => {
  for (const registry of registries.splice(0)) registry.close();
  await processes.clean();
});

/** A registry that knows one hole, or answers with this status. */
async function startRegistry({ status = 200, holes = {} }: { status?: number; holes?: object }): Promise<string> {
  const registry = createServer((request, response) => {
    request.resume();
    const isQuestion = request.url?.includes('advisories') ?? false;
    response.writeHead(isQuestion ? status : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isQuestion ? holes : {}));
  });
  registries.push(registry);
  registry.listen(0, '127.0.0.1');
  await once(registry, 'listening');
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
}

const hole = (name: string, severity: string): object => ({
  [name]: [
    {
      id: 1,
      url: 'https://holes.example/1',
      title: 'A hole',
      severity,
      vulnerable_versions: '*',
      cwe: [],
      cvss: { score: 8, vectorString: null },
    },
  ],
});

const audit = async (registry: string) =>
  processes.run(AUDIT, [], { env: { npm_config_registry: registry, npm_config_cache: await processes.directory() } });

test.each(['high', 'critical'])('a %s hole in what the server runs on fails the check, by name', async (severity) => {
  const { code, output } = await audit(await startRegistry({ holes: hole('express', severity) }));
  expect([code, output]).toEqual([1, `express: ${severity}: A hole https://holes.example/1`]);
});

test.each<[string, object]>([
  ['no hole', {}],
  ['a moderate one', hole('express', 'moderate')],
  ['one in what only tests use', hole('supertest', 'critical')],
])('%s does not', async (_what, holes) => {
  expect(await audit(await startRegistry({ holes }))).toMatchObject({ code: 0, output: '' });
});

test.each<[string, () => Promise<string>]>([
  ['does not do this', () => startRegistry({ status: 405 })],
  ['is at fault', () => startRegistry({ status: 500 })],
  ['is not there', async () => `http://127.0.0.1:${await freePort()}`],
])('a registry that %s is no failure, and is said loudly', async (_what, registry) => {
  const { code, output } = await audit(await registry());
  expect(code).toBe(75);
  expect(output).toMatch(/^DEPENDENCIES WERE NOT AUDITED: /);
});
