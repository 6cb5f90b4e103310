import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { health } from '../../src/http/schemas';
import { ask, Processes, ROOT, type Ended } from '../support/server-process';

const processes = new Processes();
afterAll(() => processes.clean());

/** Installing takes ten seconds of npm's own. */
const INSTALL_DEADLINE_MS = 120_000;
/** npm finds its cache, its registry and its proxy through these. */
const NPM_VARIABLES = /^(?:HOME|npm_config_.*|https?_proxy|no_proxy)$/i;

const packageJson = z.object({ version: z.string() });

/** An application that has the package installed from its tarball, as users get it. */
let application: string;

beforeAll(async () => {
  application = await processes.directory();
  await demand(['npm', 'pack', '--pack-destination', application], ROOT);
  const { version } = packageJson.parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
  await writeFile(join(application, 'package.json'), '{ "name": "application", "private": true }');
  const install = ['npm', 'install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await demand([...install, `./flow-backend-${version}.tgz`], application);
}, INSTALL_DEADLINE_MS);

/** Runs a command that must succeed, and answers what it wrote. */
async function demand(command: readonly string[], cwd: string): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value = '']) => (NPM_VARIABLES.test(name) ? [[name, value]] : [])),
  );
  const launched = await processes.launch(command, { cwd, env });
  const ended: Ended = await launched.ended;
  const output = launched.lines.join('\n');
  if (ended.code !== 0) throw new Error(`${command.join(' ')} ended with ${ended.code}:\n${output}`);
  return output;
}

async function run(file: string, text: string): Promise<string> {
  await writeFile(join(application, file), text);
  return demand([process.execPath, file], application);
}

const USE_SERVER = `
const flow = createFlow({ httpServer: createServer(), config: { documentStore: 'memory' } });
console.log([typeof flow.router, typeof LmdbDocumentStore, typeof MemoryDocumentStore, typeof FlowError].join());`;
const USE_CLIENT = `
console.log([typeof FlowClient, typeof FlowYjsProvider, typeof FlowError].join());`;
const FOUR = 'function,function,function,function';
const THREE = 'function,function,function';

test('the server is there by require and by import', async () => {
  const names = '{ createFlow, LmdbDocumentStore, MemoryDocumentStore, FlowError }';
  const required = `const ${names} = require('flow-backend'); const { createServer } = require('node:http');`;
  expect(await run('server.cjs', required + USE_SERVER)).toBe(FOUR);
  const imported = `import ${names} from 'flow-backend'; import { createServer } from 'node:http';`;
  expect(await run('server.mjs', imported + USE_SERVER)).toBe(FOUR);
});

test('the client library is there by require and by import', async () => {
  const names = '{ FlowClient, FlowYjsProvider, FlowError }';
  expect(await run('client.cjs', `const ${names} = require('flow-backend/client');${USE_CLIENT}`)).toBe(THREE);
  expect(await run('client.mjs', `import ${names} from 'flow-backend/client';${USE_CLIENT}`)).toBe(THREE);
});

test('the client library brings nothing of the server along', async () => {
  const loaded = `console.log(Object.keys(require.cache).filter((file) => /express|lmdb|awilix|pino|dist.src/.test(file)).length);`;
  expect(await run('light.cjs', `require('flow-backend/client'); ${loaded}`)).toBe('0');
  // The server itself is what is looked for.
  expect(Number(await run('heavy.cjs', `require('flow-backend'); ${loaded}`))).toBeGreaterThan(10);
});

const CLIENT_TYPES = `
import { FlowClient, FlowYjsProvider, type SessionStatus } from 'flow-backend/client';
import * as Y from 'yjs';
// @ts-expect-error -- what is not there is missed
import { Nothing } from 'flow-backend/client';
const client = new FlowClient({ url: 'http://localhost:3001' });
new FlowYjsProvider(client, 'notes', new Y.Doc()).on('saved', () => {});
export const status: SessionStatus['state'] = 'synced';
`;

const snippetsOf = async (page: string): Promise<string[]> => {
  const text = await readFile(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, snippet = '']) => snippet);
};

test('its types resolve, for what docs/embedding.md shows and for a client, as ESM and as CommonJS', async () => {
  const snippets = await snippetsOf('docs/embedding.md');
  expect(snippets.length).toBeGreaterThan(5);
  const sources = new Map(snippets.map((snippet, index) => [`embedding-${index}.mts`, snippet]));
  sources.set('client.mts', CLIENT_TYPES).set('client.cts', CLIENT_TYPES);
  for (const [file, text] of sources) await writeFile(join(application, file), text);
  const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, noEmit: true, types: ['node'] };
  const project = { compilerOptions, files: [...sources.keys()] };
  await writeFile(join(application, 'tsconfig.json'), JSON.stringify(project));
  const tsc = [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', application];
  expect(await demand(tsc, application)).toBe('');
});

test('the first program of docs/embedding.md runs, answers beside its application, and stops', async () => {
  const [program = ''] = await snippetsOf('docs/embedding.md');
  const directory = await processes.directory();
  await writeFile(join(directory, 'program.mjs'), program);
  await symlink(join(application, 'node_modules'), join(directory, 'node_modules'));
  const launched = await processes.launch([process.execPath, 'program.mjs'], { cwd: directory, env: { PORT: '0' } });
  const [, port] = await launched.line(/listens .*port: (\d+)/);
  const url = `http://localhost:${port}`;
  expect(await (await fetch(url)).text()).toBe('my application');
  expect(await ask(`${url}/collab/health`, health)).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await launched.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
