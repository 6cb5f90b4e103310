// npm run screenshots: makes the pictures in docs/images/ of the real pages, with people at work. Takes a good minute.

import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import * as Y from 'yjs';
import { loadConfig } from '../config/load-config';
import { createApp } from '../src/app';
import { FlowClient } from '../src/client/flow-client';
import { FlowYjsProvider } from '../src/client/yjs-provider';
import { findChromium } from './chromium';

const IMAGES = path.join(__dirname, '../docs/images');
const ADMIN_TOKEN = 'the token of administrators';
/** What a screen on a wall has, and a picture of it in a README can be read. */
const WALL = { width: 1600, height: 1000 };
const DESK = { width: 1100, height: 620 };
const TEXT = `# Release 2.0

Everything we need before **Thursday**. Whoever takes something writes their name behind it.

## To do

- Write the announcement (Ben)
- Measure again on a machine with *two* cores
- Ask everybody to try it: [the guide](https://flow.example.com/guide)

## Notes

`;
const WRITERS = 24;
const DOCUMENTS = 6;
const WORK_MS = 75_000;
const KEYSTROKE_MS = 120;

async function main(): Promise<void> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error('There is no Chromium here.');
  const app = createApp({
    ...loadConfig({}),
    host: '127.0.0.1',
    port: 0,
    documentStore: 'memory',
    adminToken: ADMIN_TOKEN,
    instanceId: 'flow-1',
    logLevel: 'warn',
  });
  await app.start();
  const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  try {
    await pictureEditor(browser, app.url);
  } catch (fault) {
    await browser.close();
    await app.stop();
    throw fault;
  }
  const writers = await hireWriters(app.url);
  try {
    await pictureStatus(browser, app.url);
  } finally {
    for (const writer of writers) writer.stop();
    await browser.close();
    await app.stop();
  }
}

/** What Ann sees while two others are in her document. */
async function pictureEditor(browser: Browser, url: string): Promise<void> {
  const client = new FlowClient({ url, token: 'Ann' });
  const { sessionId } = await client.createSession({ format: 'yjs', title: 'Release 2.0', link: 'editor' });
  client.close();
  const open = async (name: string): Promise<Page> => {
    const context = await browser.newContext({ viewport: DESK, colorScheme: 'light', reducedMotion: 'reduce' });
    await context.addInitScript({ content: `localStorage.setItem('flow-name', ${JSON.stringify(name)})` });
    const page = await context.newPage();
    await page.goto(`${url}/s/${sessionId}`);
    await page.locator('.cm-content').waitFor();
    return page;
  };
  const ann = await open('Ann');
  await ann.keyboard.insertText(TEXT);
  const ben = await open('Ben');
  await ben.getByText('Write the announcement').click();
  await ben.keyboard.press('End');
  await ben.keyboard.press('Shift+Home');
  const chen = await open('Chen');
  await chen.keyboard.press('Control+End');
  await chen.keyboard.type('Chen: the numbers look good.');
  await ann.locator('.their-name').nth(1).waitFor();
  await ann.getByText('look good.').waitFor();
  await ann.locator('#status').getByText('saved').waitFor();
  await ann.screenshot({ path: path.join(IMAGES, 'editor.png') });
  await Promise.all([ann, ben, chen].map((page) => page.context().close()));
}

async function pictureStatus(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ viewport: WALL, colorScheme: 'dark' });
  await page.goto(`${url}/status`);
  await page.getByRole('button', { name: 'Administrator' }).click();
  await page.getByLabel('ADMIN_TOKEN').fill(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await page.waitForTimeout(WORK_MS);
  await page.getByRole('button', { name: 'Show less' }).blur();
  await page.screenshot({ path: path.join(IMAGES, 'status.png') });
}

/** People who write now and then, each at a pace of their own. */
async function hireWriters(url: string): Promise<Array<{ stop(): void }>> {
  const manager = new FlowClient({ url, token: 'manager' });
  const sessions = await Promise.all(
    Array.from({ length: DOCUMENTS }, () => manager.createSession({ format: 'yjs', title: 'Notes' })),
  );
  manager.close();
  return Array.from({ length: WRITERS }, (_, number) => {
    const client = new FlowClient({ url, token: `writer ${number}` });
    const doc = new Y.Doc();
    const provider = new FlowYjsProvider(client, sessions[number % DOCUMENTS]?.sessionId ?? '', doc);
    const text = doc.getText('content');
    const typing = setInterval(() => {
      const isBusy = Math.sin(Date.now() / 9_000 + number / 5) > 0.2;
      if (isBusy) text.insert(text.length, 'a');
    }, KEYSTROKE_MS);
    return {
      stop() {
        clearInterval(typing);
        provider.destroy();
        client.close();
      },
    };
  });
}

void main();
