import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { type Examples, startExamples } from '../../scripts/examples';
import { pageNames } from '../../scripts/example-pages';
import { FlowClient } from '../../src/client/flow-client';
import { eventually } from '../support/eventually';
import { browserTests } from './support/setup';

const FOLDER = path.join(__dirname, '../../examples');

const { browsing } = browserTests();
let examples: Examples;
const children: ChildProcess[] = [];
const clients: FlowClient[] = [];

beforeAll(async () => {
  examples = await startExamples({ port: 0 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
afterAll(() => examples.stop());

/** Two windows with one new document. */
async function openTwo(name: string): Promise<{ first: Page; second: Page }> {
  const people = await browsing.person();
  const first = await people.newPage();
  await first.goto(`${examples.url}/${name}.html`);
  await first.waitForURL(/#./);
  const second = await people.newPage();
  await second.goto(first.url());
  return { first, second };
}

/** Where people write on a page, and what is written there. */
interface Surface {
  readonly field: string;
  readonly read: (page: Page) => Promise<string>;
  /** The cursor of somebody else. */
  readonly cursor?: string;
}

const textOf = (selector: string) => (page: Page) => page.locator(selector).innerText();

const SURFACES: Readonly<Record<string, Surface>> = {
  smallest: { field: '#text', read: (page) => page.locator('#text').inputValue() },
  tiptap: { field: '.tiptap', read: textOf('.tiptap'), cursor: '.collaboration-carets__caret' },
  monaco: { field: '.view-lines', read: textOf('.view-lines'), cursor: '.yRemoteSelectionHead' },
  quill: { field: '.ql-editor', read: textOf('.ql-editor'), cursor: '.ql-cursor-caret' },
  lexical: { field: '#editor', read: textOf('#editor'), cursor: '#cursors span' },
};

async function type(page: Page, { field }: Surface, text: string): Promise<void> {
  await page.locator(field).click();
  await page.keyboard.press('End');
  await page.keyboard.type(text);
}

/** Editors write a space as one that does not break, and put the cursors of others into their text. */
const plain = (text: string): string =>
  text
    .replaceAll('\u00a0', ' ')
    .replaceAll(/\u2060|Guest \d+/g, '')
    .replaceAll('\n', '');

test('every page is run here', () => {
  expect(pageNames().sort()).toEqual([...Object.keys(SURFACES), 'list'].sort());
});

test.each(Object.entries(SURFACES))(
  '%s: two windows write one text, see each other, and say when it is saved',
  async (name, surface) => {
    const { first, second } = await openTwo(name);
    const bothShow = (text: string) =>
      eventually(`both show ${text}`, async () => {
        expect([plain(await surface.read(first)), plain(await surface.read(second))]).toEqual([text, text]);
      });
    await type(first, surface, 'Hello');
    await bothShow('Hello');
    await type(second, surface, ' to you');
    await bothShow('Hello to you');
    for (const page of [first, second]) {
      await eventually('it says that all is saved', async () => (await page.locator('#state').innerText()) === 'saved');
    }
    if (surface.cursor === undefined) return;
    const cursor = second.locator(surface.cursor).first();
    await cursor.waitFor({ state: 'attached' });
    await first.close();
    await cursor.waitFor({ state: 'detached' });
  },
);

test('list: the last change in the order wins, for everyone', async () => {
  const { first, second } = await openTwo('list');
  for (const page of [first, second]) {
    await page.getByLabel('What to bring').fill(page === first ? 'Bread' : 'Wine');
    await page.keyboard.press('Enter');
    await first.getByText(page === first ? 'Bread' : 'Wine').waitFor();
    await second.getByText(page === first ? 'Bread' : 'Wine').waitFor();
  }
  await first.getByLabel('Bread').check();
  await second.locator('input:checked').waitFor();
  await second.getByLabel('Bread').uncheck();
  await first.locator('li:has-text("Bread") input:not(:checked)').waitFor();
  expect(await first.locator('#list').innerText()).toBe(await second.locator('#list').innerText());
});

function run(file: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [path.join(FOLDER, file), ...args], { env: { ...process.env, ...env } });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  return {
    child,
    output: () => output,
    async exit(): Promise<unknown> {
      if (child.exitCode === null) await once(child, 'exit');
      return child.exitCode;
    },
  };
}

function connect(url: string, token: string): FlowClient {
  const client = new FlowClient({ url, token });
  clients.push(client);
  return client;
}

test('the Node client writes its lines, one after the other, and ends by itself', async () => {
  const { sessionId } = await connect(examples.url, 'ann').createSession({ format: 'yjs' });
  for (const line of ['one', 'two']) {
    const program = run('node-client.mjs', [examples.url, sessionId, line]);
    expect([await program.exit(), program.output()]).toEqual([0, line === 'one' ? 'one\n\n' : 'one\ntwo\n\n']);
  }
  const stranger = run('node-client.mjs', [examples.url, 'no-such-session', 'three']);
  expect([await stranger.exit(), stranger.output()]).toEqual([1, expect.stringContaining('session')]);
});

test('the Express application lets its own users in, by its own rules, and stops', async () => {
  const application = run('express-app.js', [], { PORT: '0' });
  await eventually('it listens', () => /listening on port \d+/.test(application.output()));
  const url = `http://127.0.0.1:${/port (\d+)/.exec(application.output())?.[1]}`;
  expect(await (await fetch(url)).text()).toBe('The application');
  expect(await (await fetch(`${url}/collab/health`)).json()).toMatchObject({ status: 'ok' });

  const { sessionId } = await connect(url, 'key-of-ann').createSession({ format: 'json' });
  await expect(connect(url, 'ann').createSession({ format: 'json' })).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
  });
  const anns = connect(url, 'key-of-ann').session(sessionId);
  await anns.join();
  anns.submit(['a']);
  await anns.whenSaved();
  expect(application.output()).toContain(`${sessionId} is saved up to 1`);
  const bens = connect(url, 'key-of-ben').session(sessionId);
  await bens.join();
  expect(bens.role).toBe('viewer');

  application.child.kill('SIGTERM');
  expect(await application.exit()).toBe(0);
});
