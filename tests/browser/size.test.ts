import { gzipSync } from 'node:zlib';
import { browserTests } from './support/setup';

const { browsing, url } = browserTests();

const MAX_SCRIPT_BYTES = 250 * 1024;

test.each(['/', '/s/some-document'])('all scripts of %s are less than 250 KB, compressed', async (path) => {
  const page = await (await browsing.person()).newPage();
  const scripts: Buffer[] = [];
  const reading: Array<Promise<unknown>> = [];
  page.on('response', (response) => {
    if (response.url().endsWith('.js')) reading.push(response.body().then((body) => scripts.push(body)));
  });
  await page.goto(url() + path, { waitUntil: 'networkidle' });
  await Promise.all(reading);
  const bytes = scripts.reduce((sum, script) => sum + gzipSync(script).length, 0);
  expect(scripts.length).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(MAX_SCRIPT_BYTES);
});
