import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { z } from 'zod';
import { FlowClient } from '../../src/client/flow-client';
import { Processes, ROOT } from '../support/server-process';

const ESBUILD = join(ROOT, 'node_modules/.bin/esbuild');
/** What is read here of what esbuild says it has bundled. */
const metafile = z.object({
  inputs: z.record(z.string(), z.object({ imports: z.array(z.object({ original: z.string().optional() })) })),
});

const processes = new Processes();
afterEach(() => processes.clean());

/** An application's own: write, wait for what the other one writes, say what there is, and end without being ended. */
const PROGRAM = `
  const [url, sessionId, own, other] = process.argv.slice(2);
  const client = new FlowClient({ url, token: own });
  const doc = new Y.Doc();
  const provider = new FlowYjsProvider(client, sessionId, doc);
  const text = doc.getText('content');
  text.insert(0, '[' + own + ']');
  await new Promise((resolve) => {
    const look = () => text.toJSON().includes('[' + other + ']') && resolve();
    doc.on('update', look);
    look();
  });
  await provider.whenSaved();
  console.log(JSON.stringify({ text: text.toJSON() }));
  provider.destroy();
  client.close();
`;
const NAMES = '{ FlowClient, FlowYjsProvider }';
const PROGRAMS = {
  'index.mjs': `import * as Y from 'yjs'; import ${NAMES} from 'flow-backend/client'; ${PROGRAM}`,
  'index.cjs': `const Y = require('yjs'); const ${NAMES} = require('flow-backend/client'); (async () => {${PROGRAM}})();`,
};

/** A directory in which this project is installed, as an application has it. */
async function application(): Promise<string> {
  const directory = await processes.directory();
  await mkdir(join(directory, 'node_modules'));
  await symlink(ROOT, join(directory, 'node_modules/flow-backend'));
  await symlink(join(ROOT, 'node_modules/yjs'), join(directory, 'node_modules/yjs'));
  for (const [file, text] of Object.entries(PROGRAMS)) await writeFile(join(directory, file), text);
  return directory;
}

test('the built library works in plain Node as ES module and as CommonJS, and both converge', async () => {
  const { url } = await processes.startServer({ documents: await processes.directory() });
  const creator = new FlowClient({ url });
  const { sessionId } = await creator.createSession({ format: 'yjs' });
  creator.close();
  const cwd = await application();
  const ended = await Promise.all([
    processes.run('index.mjs', [url, sessionId, 'module', 'common'], { cwd }),
    processes.run('index.cjs', [url, sessionId, 'common', 'module'], { cwd }),
  ]);
  const [one, other] = ended.map(({ output }) => output);
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  // Nothing else was printed: Yjs complains where it is loaded twice.
  expect(one).toMatch(/^\{"text":"(\[module\]\[common\]|\[common\]\[module\])"\}$/);
  expect(other).toBe(one);
});

test('the ES module goes into a browser: no part of Node is imported, and none is needed to load it', async () => {
  const cwd = await application();
  await writeFile(join(cwd, 'page.js'), `export * from 'flow-backend/client'; export { Doc } from 'yjs';`);
  const targets = '--target=chrome111,firefox115,safari16.4';
  const outputs = ['--outfile=bundle.js', '--metafile=meta.json'];
  const bundling = await processes.launch(
    [ESBUILD, 'page.js', '--bundle', '--format=iife', '--global-name=flow', '--platform=browser', targets, ...outputs],
    { cwd },
  );
  const { code } = await bundling.ended;
  expect([code, bundling.lines.filter((line) => /error|warning/i.test(line))]).toEqual([0, []]);
  const { inputs } = metafile.parse(JSON.parse(await readFile(join(cwd, 'meta.json'), 'utf8')));
  const [, library] = Object.entries(inputs).find(([file]) => file.endsWith('dist/client/index.mjs')) ?? [];
  const imported = library?.imports.map(({ original }) => original?.split('/')[0]);
  expect(new Set(imported)).toEqual(new Set(['lib0', 'socket.io-client', 'y-protocols', 'yjs']));
  // What a page has, and nothing of Node's.
  const page = { setTimeout, setInterval, clearTimeout, clearInterval, queueMicrotask, console, performance, URL };
  const context = createContext({
    ...page,
    btoa,
    atob,
    TextEncoder,
    TextDecoder,
    crypto,
    WebSocket: class {},
    navigator: {},
  });
  const bundle = await readFile(join(cwd, 'bundle.js'), 'utf8');
  const loaded: unknown = runInContext(
    `${bundle}
     const client = new flow.FlowClient({ url: 'https://flow.example.com' });
     const provider = new flow.FlowYjsProvider(client, 'a', new flow.Doc(), { connect: false });
     provider.doc.getText('content').insert(0, 'x');
     const { unsaved } = provider;
     provider.destroy();
     client.close();
     [unsaved, JSON.stringify(client.resources), typeof process, typeof Buffer, typeof require].join(' ');`,
    context,
  );
  expect(loaded).toBe('1 {"sockets":0,"timers":0,"requests":0,"sessions":0} undefined undefined undefined');
});
