import { eventually } from '../support/eventually';
import { browserTests } from './support/setup';

const { browsing, url } = browserTests();

const PAGES = ['/', '/s/some-document', '/status'];

test.each(PAGES)('%s lets nothing run but what this server serves, and is not kept', async (path) => {
  const answer = await fetch(url() + path);
  expect(answer.status).toBe(200);
  const html = await answer.text();
  const nonce = /"nonce":"([^"]+)"/.exec(html.replaceAll('&quot;', '"'))?.[1] ?? 'none';
  expect(answer.headers.get('content-security-policy')).toBe(
    `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
  expect(html).not.toMatch(/<script(?![^>]* src="\/assets\/)|<style|\sstyle=|\son\w+=|https?:\/\/(?!www\.w3\.org)/);
});

test('assets are kept for ever, compressed where the browser takes it, and there are no others', async () => {
  const [asset = ''] = /\/assets\/home-[^"]+\.js/.exec(await (await fetch(url())).text()) ?? [];
  for (const encoding of ['br', 'gzip', 'identity']) {
    const answer = await fetch(url() + asset, { headers: { 'accept-encoding': encoding } });
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(answer.headers.get('vary')).toBe('Accept-Encoding');
    expect(answer.headers.get('content-encoding')).toBe(encoding === 'identity' ? null : encoding);
    expect(await answer.text()).not.toBe('');
  }
  expect((await fetch(`${url()}/assets/..%2fpages%2fhome.html`)).status).toBe(404);
  expect((await fetch(`${url() + asset}.br`)).status).toBe(404);
});

test('a window that breaks the content policy fails its test', async () => {
  const page = await (await browsing.person()).newPage();
  await page.goto(url());
  await page.evaluate(() =>
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'void 0' })),
  );
  expect(browsing.takeComplaints()).toEqual([expect.stringContaining('Content Security Policy')]);
});

test.each([
  ['writes an error to the console', "console.error('something is wrong')", 'something is wrong'],
  ['throws', "setTimeout(() => { throw new Error('nobody caught this'); })", 'nobody caught this'],
])('a window that %s fails its test', async (_what, script, complaint) => {
  const page = await (await browsing.person()).newPage();
  await page.goto(url());
  await page.evaluate(script);
  await eventually('a complaint', () => browsing.complaints.length > 0);
  expect(browsing.takeComplaints()).toEqual([expect.stringContaining(complaint)]);
});
