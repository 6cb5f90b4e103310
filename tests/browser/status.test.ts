import type { Page } from 'playwright-core';
import type { z } from 'zod';
import { loadConfig, type Config } from '../../config/load-config';
import type { FlowHooks } from '../../src/flow';
import { FlowClient } from '../../src/client/flow-client';
import { stats } from '../../src/http/schemas';
import { systemClock } from '../../src/lib/clock';
import { createLogger } from '../../src/lib/logger';
import { RecentWarnings } from '../../src/lib/recent-warnings';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import type { Stats } from '../../src/web/status/answer';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { type TestServer, useServers } from '../support/server';
import { seriousViolations } from './support/accessibility';
import { browserTests } from './support/setup';

/** What the page believes of the answers, held against what they are, by the compiler. */
const asThePageReadsIt = (answer: z.output<typeof stats>): Stats => answer;

const ADMIN_TOKEN = 'the token of administrators';
/** As in src/web/status/main.ts. */
const INTERVAL_MS = 2_000;

const { browsing, processes } = browserTests();
const start = useServers();
const clients: FlowClient[] = [];
let typing: NodeJS.Timeout | undefined;

afterEach(() => {
  clearInterval(typing);
  for (const client of clients.splice(0)) client.close();
});

async function open(
  url: string,
  options: { size?: { width: number; height: number }; scheme?: 'light' | 'dark' } = {},
) {
  const { size = { width: 1_600, height: 1_000 }, scheme = 'light' } = options;
  const page = await (await browsing.person({ viewport: size, colorScheme: scheme })).newPage();
  await page.clock.install();
  await page.goto(`${url}/status`);
  return page;
}

/** Turns the page's clock until it shows something. */
async function shows(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await eventually(`${selector} shows ${text}`, async () => {
    const shown = await page.locator(selector).innerText();
    if (typeof text === 'string' ? shown.includes(text) : text.test(shown)) return;
    await page.clock.runFor(INTERVAL_MS);
    throw new Error(shown);
  });
}

async function enter(page: Page, token: string): Promise<void> {
  await page.getByRole('button', { name: 'Administrator' }).click();
  await page.getByLabel('ADMIN_TOKEN of the server').fill(token);
  await page.keyboard.press('Enter');
}

/** A server that people write on. */
async function startWithWriter(
  config: Partial<Config> = {},
  hooks: FlowHooks = {},
): Promise<{ server: TestServer; store: FaultyStore; client: FlowClient; write(): void }> {
  const store = new FaultyStore(new MemoryDocumentStore());
  const warnings = new RecentWarnings({ clock: systemClock });
  const log = createLogger({ level: 'warn', instanceId: 'one', warnings }, { write: () => {} });
  const server = await start({
    store,
    log,
    warnings,
    config: { adminToken: ADMIN_TOKEN, instanceId: 'one', ...config },
    hooks,
  });
  const client = new FlowClient({ url: server.url, token: 'ann' });
  clients.push(client);
  const { sessionId } = await client.createSession({ format: 'json' });
  const session = client.session(sessionId);
  await session.join();
  return { server, store, client, write: () => void session.submit(['a']) };
}

test('figures and charts move while somebody types, and come to rest', async () => {
  const { server, client, write } = await startWithWriter();
  const page = await open(server.url);
  await enter(page, ADMIN_TOKEN);
  await shows(page, '#overall', 'All is well');
  await shows(page, '#rate-order', /^0 \/s$/);
  typing = setInterval(write, 20);
  for (const step of ['order', 'save', 'deliver']) await shows(page, `#rate-${step}`, /^(?!0 )[\d.,]+ \/s$/);
  await shows(page, '#latency-order dd >> nth=0', / ms$/);
  await shows(page, '#latency-save dd >> nth=2', / ms$/);
  await shows(page, '[data-figure="Connections"]', '1');
  await shows(page, '[data-figure="Open sessions"]', '1');
  const line = await page.locator('.line-rate').first().getAttribute('d');
  const label = await page.locator('#flow svg').first().getAttribute('aria-label');
  expect(label).toMatch(/^per second: now rate [\d.]+; highest since 1 min ago (?:[1-9]|0\.[1-9])/);
  clearInterval(typing);
  client.close();
  await shows(page, '[data-figure="Connections"]', '0');
  await shows(page, '#rate-order', /^0 \/s$/);
  expect(await page.locator('.line-rate').first().getAttribute('d')).not.toBe(line);
});

test('a service that fell back to memory shows as degraded, with what it is configured for', async () => {
  const server = await processes.startServer({
    documents: await processes.directory(),
    env: {
      USE_REDIS_COLLABORATION: 'true',
      // Nothing listens there.
      REDIS_URL: 'redis://127.0.0.1:1',
      REDIS_FALLBACK: 'memory',
    },
  });
  const page = await open(server.url);
  await shows(page, '#overall', 'Degraded');
  await shows(page, '#reasons', 'Collaboration Service is configured for redis and runs on memory.');
  await shows(page, '#services tr:has-text("Collaboration Service")', /memory\s+redis\s+degraded/);
  await shows(page, '#services tr:has-text("WebSocket Manager")', /memory\s+memory\s+ok/);
  expect(await page.locator('#services tr:has-text("degraded")').count()).toBe(1);
});

test('[ST7] saving that stands still shows, with what the store says, until it goes on', async () => {
  const { server, store, write } = await startWithWriter({ saveStallMs: 100 });
  const page = await open(server.url);
  await shows(page, '[data-figure="Unsaved sessions"]', 'everything is saved');
  store.isFull = true;
  write();
  await eventually('the store refuses', () => store.counts.savesRefused > 0);
  await shows(page, '#overall', 'Unavailable');
  await shows(page, '#reasons', 'The document store does not take what was ordered.');
  await shows(page, '[data-figure="Unsaved sessions"]', /1\s+oldest waits/);
  await shows(page, '#services tr:has-text("Document Store")', 'stalled');
  store.isFull = false;
  await shows(page, '#overall', 'All is well');
  expect(await page.locator('#reasons').isVisible()).toBe(false);
});

test('administrators see latencies, instances and warnings, as long as the tab lives; nobody else does', async () => {
  const authenticate: FlowHooks['authenticate'] = ({ token }) => (token === 'ann' ? { userId: token } : null);
  const { server, store, write } = await startWithWriter({}, { authenticate });
  store.isFull = true;
  write();
  await eventually('the store refuses', () => store.counts.savesRefused > 0);
  store.isFull = false;
  const page = await open(server.url);
  await shows(page, '#overall', /./);
  expect(await page.locator('.unlocked:visible').count()).toBe(0);

  await enter(page, 'a wrong token');
  await shows(page, '#complaint', 'The server does not take this token.');
  expect(browsing.takeComplaints()).toEqual([expect.stringContaining('401')]);
  await page.getByLabel('ADMIN_TOKEN of the server').fill(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await shows(page, '#instances', /one\s+this one/);
  await shows(page, '#warnings', 'saving failed; trying again');
  expect(await page.locator('.locked:visible').count()).toBe(0);
  expect(await page.evaluate(() => [localStorage.length, location.href.includes('token')])).toEqual([0, false]);

  await page.reload();
  await shows(page, '#instances', /one\s+this one/);
  await page.getByRole('button', { name: 'Show less' }).click();
  await shows(page, '.locked >> nth=0', 'Only administrators');
  expect(await page.locator('#instances tr, #warnings li').count()).toBe(0);
});

test('where any token is a name, only the right one shows more', async () => {
  const { server } = await startWithWriter();
  const page = await open(server.url);
  await enter(page, 'a wrong token');
  await shows(page, '#complaint', 'The server does not take this token.');
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test('a server that is gone is said to be gone, and is shown again when it is back', async () => {
  const server = await start();
  const page = await open(server.url);
  await shows(page, '#overall', 'All is well');
  const answer = asThePageReadsIt(stats.parse(await server.stats()));
  await shows(page, '#where', answer.instanceId);
  const port = Number(new URL(server.url).port);
  await server.stop();
  await shows(page, '#overall', 'No answer for');
  await start({ config: { port, instanceId: 'the-next-one' } });
  await shows(page, '#overall', 'All is well');
  expect(await page.locator('#where').innerText()).toContain('the-next-one');
});

test.each([
  ['a wall', { width: 2_560, height: 1_440 }, 'dark'],
  ['a phone', { width: 390, height: 844 }, 'light'],
] as const)('on %s nothing is cut off, and the accessibility check finds nothing serious', async (_, size, scheme) => {
  const configured = { ...loadConfig({}).configured, collaboration: 'redis' } as const;
  const { server, write } = await startWithWriter({ configured });
  const page = await open(server.url, { size, scheme });
  await enter(page, ADMIN_TOKEN);
  write();
  await shows(page, '#overall', 'Degraded');
  await shows(page, '#instances', 'one');
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  expect(await seriousViolations(page)).toEqual([]);
});
