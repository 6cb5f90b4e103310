import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import * as Y from 'yjs';
import { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { stats } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { seededRandom } from '../../src/tools/seeded-random';
import { ask, ROOT } from '../support/server-process';
import { browserTests } from './support/setup';

const { browsing, processes } = browserTests();

const EDITS = 260_000;
const MAX_TIMES_YJS = 3;
/** Each is held against a load by Yjs just before it; the best of these ratios counts: what else the machine does makes a page later than a loop. */
const MAX_ATTEMPTS = 8;
const FIRST_LINE = 'The first line in sight.';

/** Bursts of typing at random places, some of it taken away again, as one update: nobody's text, but as many parts as a long one has. */
function manyEdits(): Uint8Array {
  const doc = new Y.Doc();
  const text = doc.getText('content');
  const random = seededRandom(5);
  let at = 0;
  for (let edit = 0; edit < EDITS; edit += 1) {
    if (edit % 12 === 0) at = Math.floor(random() * (text.length + 1));
    if (edit % 12 === 11 && at > 2) text.delete((at -= 2), 2);
    else text.insert(at++, edit % 60 === 30 ? '\n' : ('abcdefghij '[edit % 11] ?? ' '));
  }
  text.insert(0, `${FIRST_LINE}\n`);
  return Y.encodeStateAsUpdate(doc);
}

/**
 * To open a document is to ask for it, to get it and to show it. What a page needs before it can ask (a process of the browser, its scripts,
 * a connection) has nothing to do with the document, takes as long as the machine has other things to do, and is printed; but of the work
 * of the page everything counts.
 */
test('a document of 260,000 edits shows its text within three times what Yjs needs to load it', async () => {
  const { url } = await processes.startServer({
    documents: await processes.directory(),
    env: { SESSION_IDLE_MS: '500' },
  });
  const update = manyEdits();
  const sessionId = await written(url, update);
  const bundle = await yjsForBrowsers();
  const ann = await browsing.named('Ann');

  const yjsMs: number[] = [];
  const attempts: Opened[] = [];
  const timesYjs = (msOf: (opened: Opened) => number): number =>
    Math.min(...attempts.map((opened, attempt) => msOf(opened) / (yjsMs[attempt] ?? Number.NaN)));
  const openingMs = ({ at }: Opened): number => at.shown - at.asked;
  while (attempts.length < MAX_ATTEMPTS && timesYjs(openingMs) >= MAX_TIMES_YJS) {
    yjsMs.push(await msOfYjs(await ann.newPage(), bundle, update));
    const page = await ann.newPage();
    attempts.push(await open(page, `${url}/s/${sessionId}`));
    await page.close();
  }
  const opening = timesYjs(openingMs);
  const work = timesYjs(({ workMs }) => workMs);
  const whole = timesYjs(({ at }) => at.shown);
  const phase = (name: keyof Phases): string => `${name} ${median(attempts.map(({ at }) => at[name])).toFixed(0)} ms`;
  console.info(
    `Yjs needs ${median(yjsMs).toFixed(0)} ms. Times that: opening ${opening.toFixed(1)}, all work of the page ${work.toFixed(1)}, ` +
      `from the begin of the navigation ${whole.toFixed(1)} (${PHASES.map(phase).join(', ')}).`,
  );
  expect(opening).toBeLessThan(MAX_TIMES_YJS);
  expect(work).toBeLessThan(MAX_TIMES_YJS);
}, 180_000);

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A document that holds the update, and that nobody has open any more. */
async function written(url: string, update: Uint8Array): Promise<string> {
  const client = new FlowClient({ url, token: 'Ann' });
  const { sessionId } = await client.createSession({ link: 'editor' });
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  const provider = new FlowYjsProvider(client, sessionId, doc);
  await provider.session.join();
  await provider.whenSaved();
  provider.destroy();
  client.close();
  await eventually(
    'the session is closed, and all of it in a snapshot',
    async () => {
      const { body } = await ask(`${url}/ws/stats`, stats);
      return body.sessions.open === 0;
    },
    20_000,
  );
  return sessionId;
}

const PHASES = ['running', 'asked', 'received', 'shown'] as const;
/** Milliseconds since the navigation began. */
type Phases = Readonly<Record<(typeof PHASES)[number], number>>;

interface Opened {
  readonly at: Phases;
  /** What the page's main thread had to do until the text was shown, without waiting. */
  readonly workMs: number;
}

async function open(page: Page, address: string): Promise<Opened> {
  await page.addInitScript(notePhases, FIRST_LINE);
  const devTools = await page.context().newCDPSession(page);
  await devTools.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.goto(address);
  await page.waitForFunction(() => performance.getEntriesByName('shown').length > 0);
  const { metrics } = await devTools.send('Performance.getMetrics');
  const seconds = metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  const marks = new Map(
    await page.evaluate(() =>
      performance.getEntriesByType('mark').map(({ name, startTime }): [string, number] => [name, startTime]),
    ),
  );
  const of = (name: string): number => marks.get(name) ?? Number.NaN;
  return {
    at: { running: of('running'), asked: of('asked'), received: of('received'), shown: of('shown') },
    workMs: seconds * 1_000,
  };
}

/** Runs in the page, before everything else. `shown`: in a frame that is on the screen. */
function notePhases(text: string): void {
  const look = (): void => {
    if (!document.querySelector('.cm-content')?.textContent?.includes(text)) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => performance.mark('shown')));
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { childList: true, subtree: true, characterData: true });
  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL) {
      super(url);
      performance.mark('running');
      this.addEventListener('message', ({ data }) => String(data).length > 1_000_000 && performance.mark('received'));
    }
    override send(data: string): void {
      if (data.includes('session:join')) performance.mark('asked');
      super.send(data);
    }
  };
}

/** How long Yjs alone takes from the update to the text, in a page with nothing else. */
async function msOfYjs(page: Page, bundle: string, update: Uint8Array): Promise<number> {
  await page.evaluate(bundle);
  const ms = await page.evaluate((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const { Doc, applyUpdate } = (window as unknown as { Yjs: typeof Y }).Yjs;
    const beganAt = performance.now();
    const doc = new Doc();
    applyUpdate(doc, bytes);
    return doc.getText('content').toJSON().length > 0 ? performance.now() - beganAt : Number.NaN;
  }, Buffer.from(update).toString('base64'));
  await page.close();
  return ms;
}

async function yjsForBrowsers(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: "export * from 'yjs';", resolveDir: ROOT },
    bundle: true,
    format: 'iife',
    globalName: 'Yjs',
    minify: true,
    write: false,
  });
  // As a property of the window: an evaluated `var` would be the function's own.
  return `window.${outputFiles[0]?.text.replace(/^var |^"use strict";var /, '') ?? ''}`;
}
