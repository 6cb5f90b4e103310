import * as Y from 'yjs';
import { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { eventually } from '../support/eventually';
import { EditorWindow, converged } from './support/editor-window';
import { browserTests } from './support/setup';

const { browsing, url } = browserTests();

/** A new document with two people in it, each with a window of their own. */
async function two(): Promise<[EditorWindow, EditorWindow]> {
  const first = await EditorWindow.create(await browsing.named('Ann'), url(), 'Ann');
  return [first, await EditorWindow.open(await browsing.named('Ben'), first.address)];
}

test('two windows converge while both type', async () => {
  const [ann, ben] = await two();
  await Promise.all([ann.type('The quick brown fox. '), ben.type('Jumps over the dog. ')]);
  const text = await converged(ann, ben);
  expect([...text].sort().join('')).toBe([...'The quick brown fox. Jumps over the dog. '].sort().join(''));
});

test('a text of 200,000 characters is pasted, saved and shown to the others', async () => {
  const [ann, ben] = await two();
  const text = Array.from({ length: 4_000 }, (_, line) => `Line ${line} `.padEnd(49, '-')).join('\n');
  expect(text.length).toBeGreaterThanOrEqual(199_999);
  await paste(ann, text);
  await ann.shows('saved');
  await ben.toEnd();
  await expect(documentText(ann)).resolves.toBe(text);
  await ben.page.getByText('Line 3999').waitFor();
});

test('a text with line ends of another system stays as it was, and what is written goes where it was written', async () => {
  const ann = await EditorWindow.create(await browsing.named('Ann'), url(), 'Ann');
  const client = new FlowClient({ url: url(), token: 'Ann' });
  const provider = new FlowYjsProvider(client, ann.sessionId, new Y.Doc());
  await provider.session.join();
  provider.doc.getText('content').insert(0, 'one\r\ntwo\r\nthree');
  await provider.whenSaved();
  provider.destroy();
  client.close();
  await ann.page.getByText('three').waitFor();
  await ann.type('!');
  await ann.shows('saved');
  await expect(documentText(ann)).resolves.toBe('one\r\ntwo\r\nthree!');
  await paste(ann, '\r\nfour\r\n');
  await eventually('it is saved', async () => expect(await documentText(ann)).toBe('one\r\ntwo\r\nthree!\nfour\n'));
});

test('emoji and right-to-left text arrive as they were typed, and each line runs in its own direction', async () => {
  const [ann, ben] = await two();
  await ann.type('👩‍👩‍👧‍👦 a family 🇨🇿\n');
  await ann.page.keyboard.insertText('שלום עולם');
  await ben.reads('👩‍👩‍👧‍👦 a family 🇨🇿\nשלום עולם');
  const directions = await ben.page
    .locator('.cm-line')
    .evaluateAll((lines) => lines.map((line) => getComputedStyle(line).direction));
  expect(directions).toEqual(['ltr', 'rtl']);
  // One emoji of seven code points is one step, and is deleted in one.
  await ben.page.locator('.cm-content').focus();
  await ben.page.keyboard.press('Control+Home');
  await ben.page.keyboard.press('Delete');
  await ann.reads(' a family 🇨🇿\nשלום עולם');
});

test('a composition of an input method goes on while somebody else types', async () => {
  const [ann, ben] = await two();
  await ann.type('こ');
  const keyboard = await ann.page.context().newCDPSession(ann.page);
  const compose = (text: string) =>
    keyboard.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  await compose('n');
  await compose('に');
  await ben.page.locator('.cm-content').focus();
  await ben.page.keyboard.press('Control+Home');
  await ben.page.keyboard.type('Ben: ');
  await ann.page.getByText('Ben: ').waitFor();
  await compose('にちは');
  await keyboard.send('Input.insertText', { text: '日は' });
  expect(await converged(ann, ben)).toBe('Ben: こ日は');
});

test('undo and redo touch only what was written in this window', async () => {
  const [ann, ben] = await two();
  await ann.type('mine');
  await ben.reads('mine');
  await ben.type(' and yours');
  await ann.reads('mine and yours');
  await ann.page.keyboard.press('Control+z');
  await ben.reads(' and yours');
  await ann.page.keyboard.press('Control+Shift+Z');
  await ben.reads('mine and yours');
});

test('cursors of the others appear, move, and vanish when their window is closed', async () => {
  const [ann, ben] = await two();
  await ann.type('somewhere');
  await ben.showsCursors('Ann');
  const place = async (): Promise<number> => (await ben.page.locator('.their-caret').boundingBox())?.x ?? 0;
  const end = await place();
  await ann.page.keyboard.press('Home');
  await eventually('the cursor is before the text', async () => expect(await place()).toBeLessThan(end - 20));
  await ann.page.keyboard.press('Shift+End');
  await eventually('the selection is shown', async () =>
    expect(await ben.page.locator('.their-selection').allTextContents()).toEqual(['somewhere']),
  );
  await expect(ben.page.getByRole('list', { name: 'Who is here' }).getByRole('img').count()).resolves.toBe(1);
  await ann.page.close();
  await ben.showsCursors();
  await expect(ben.page.getByRole('list', { name: 'Who is here' }).getByRole('img').count()).resolves.toBe(0);
});

test('a cursor vanishes when the process of its browser is killed', async () => {
  const [ann, ben] = await two();
  const other = await browsing.another();
  const carl = await EditorWindow.open(await other.named('Carl'), ben.address);
  await carl.type('here');
  await ben.showsCursors('Ann', 'Carl');
  await other.kill();
  await ben.showsCursors('Ann');
  await ann.reads('here');
});

test('a duplicated tab is a client of its own, and both go on', async () => {
  const ann = await browsing.named('Ann');
  const first = await EditorWindow.create(ann, url(), 'Ann');
  await first.type('one ');
  const second = await EditorWindow.open(ann, first.address);
  await Promise.all([first.type('two '), second.type('three ')]);
  const text = await converged(first, second);
  expect([...text].sort().join('')).toBe([...'one two three '].sort().join(''));
});

test('a link that only lets people read shows what is written and takes nothing', async () => {
  const [ann, ben] = await two();
  await ann.page.getByRole('button', { name: 'Share' }).click();
  await ann.page.getByLabel('Who the link lets in').selectOption('viewer');
  await ben.shows('read only');
  await ann.page.getByRole('button', { name: 'Done' }).click();
  await ann.type('to be read');
  await ben.reads('to be read');
  await ben.type('not this');
  await ann.type('.');
  await ben.reads('to be read.');
  expect(await ben.page.locator('.cm-content').getAttribute('aria-readonly')).toBe('true');
  await ben.page.reload();
  await ben.shows('read only');
  await ben.reads('to be read.');
});

async function documentText(window: EditorWindow): Promise<string> {
  const { origin } = new URL(window.address);
  return (await fetch(`${origin}/api/sessions/${window.sessionId}/document?as=text`)).text();
}

/** At the end of the text. */
async function paste(window: EditorWindow, text: string): Promise<void> {
  await window.toEnd();
  await window.page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    document.activeElement?.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
    );
  }, text);
}
