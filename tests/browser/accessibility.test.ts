import { seriousViolations } from './support/accessibility';
import { EditorWindow } from './support/editor-window';
import { browserTests } from './support/setup';

const { browsing, url } = browserTests();

const LOOKS = [
  ['light', 1_100],
  ['dark', 1_100],
  ['light', 390],
] as const;

test.each(LOOKS)('in %s colours, %i pixels wide, no page has a serious violation', async (colorScheme, width) => {
  const ann = await browsing.named('Ann', { colorScheme, viewport: { width, height: 760 } });
  const editor = await EditorWindow.create(ann, url(), 'Ann');
  const ben = await EditorWindow.open(await browsing.named('Ben'), editor.address);
  await editor.type('# A heading\n\nSome *text* with a [link](https://example.com).');
  await ben.type(' More.');
  await editor.showsCursors('Ben');
  await editor.shows('saved');
  expect(await seriousViolations(editor.page)).toEqual([]);

  await editor.page.getByRole('button', { name: 'Share' }).click();
  await editor.page.getByLabel('Who the link lets in').waitFor();
  expect(await seriousViolations(editor.page)).toEqual([]);

  await editor.page.goto(url());
  await editor.page.getByRole('link', { name: 'Untitled' }).first().waitFor();
  expect(await seriousViolations(editor.page)).toEqual([]);
  await editor.page.getByRole('button', { name: 'Rename' }).first().click();
  expect(await seriousViolations(editor.page)).toEqual([]);
  await editor.page.keyboard.press('Escape');

  await editor.page.goto(`${url()}/s/nothing-of-this-name`);
  await editor.page.getByText('There is no such document').waitFor();
  expect(await seriousViolations(editor.page)).toEqual([]);
});

test('a button without a name is a serious violation', async () => {
  const page = await (await browsing.person()).newPage();
  await page.goto(url());
  await page.evaluate(() => document.querySelector('main')?.append(document.createElement('button')));
  expect(await seriousViolations(page)).toEqual([expect.stringContaining('button-name')]);
});

test('with the keyboard alone a document is made, named, written and left', async () => {
  const page = await (await browsing.named('Ann')).newPage();
  await page.goto(url());
  const press = (key: string) => page.keyboard.press(key);
  await page.getByRole('button', { name: 'New document' }).focus();
  await press('Enter');
  await page.waitForURL(/\/s\//);
  const editor = new EditorWindow(page);
  await editor.shows('saved');
  await page.keyboard.type('By keyboard.');
  // From the text backwards: theme, share, oneself, title.
  for (const name of ['Dark colours', 'Share', 'Ann (you). Change this']) {
    await press('Shift+Tab');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(name);
  }
  await press('Shift+Tab');
  await page.keyboard.type('Named');
  await press('Enter');
  await page.waitForFunction(() => document.title.startsWith('Named'));
  await editor.shows('saved');
  await page.getByRole('link', { name: 'All documents' }).focus();
  await press('Enter');
  await page.getByRole('link', { name: 'Named' }).waitFor();
});

test('what lasts of the status is told to screen readers', async () => {
  const ann = await browsing.named('Ann');
  const editor = await EditorWindow.create(ann, url(), 'Ann');
  const live = editor.page.getByRole('status');
  await live.getByText('saved').waitFor();
  await ann.setOffline(true);
  await live.getByText('offline').waitFor();
  await ann.setOffline(false);
  await live.getByText('saved').waitFor();
});
