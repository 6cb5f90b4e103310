import { secretToken, SECRET } from '../support/identity-provider';
import { EditorWindow } from './support/editor-window';
import { browserTests } from './support/setup';

const { browsing, processes, url } = browserTests();

test("one's documents are listed, renamed and duplicated; others' appear once they were opened here", async () => {
  const ann = await browsing.named('Жанна');
  const page = await ann.newPage();
  await page.goto(url());
  await page.getByText('Documents that you start or open appear here.').waitFor();
  await page.getByRole('button', { name: 'New document' }).click();
  const editor = new EditorWindow(page);
  await editor.shows('saved');
  await editor.type('To be copied');
  await editor.shows('saved');
  const address = page.url();

  await page.getByRole('link', { name: 'All documents' }).click();
  await page.getByRole('button', { name: 'Rename Untitled' }).click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Plans');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await page.getByRole('button', { name: 'Duplicate Plans' }).click();
  await page.getByRole('link', { name: 'Copy of Plans' }).click();
  await editor.shows('saved');
  await editor.reads('To be copied');

  const ben = await (await browsing.named('Ben')).newPage();
  await ben.goto(url());
  await ben.getByLabel('Link of a document').fill(address);
  await ben.getByRole('button', { name: 'Open' }).click();
  await new EditorWindow(ben).shows('saved');
  await ben.goto(url());
  expect(await ben.locator('.documents .name').allTextContents()).toEqual(['Plans']);
});

test('a new title is seen at once by everybody who has the document open', async () => {
  const ann = await EditorWindow.create(await browsing.named('Ann'), url(), 'Ann');
  const ben = await EditorWindow.open(await browsing.named('Ben'), ann.address);
  await ann.page.getByLabel('Title').fill('Minutes');
  await ann.page.keyboard.press('Enter');
  await ben.page.waitForFunction(() => document.title === 'Minutes · Flow');
});

test('a link that leads nowhere says so', async () => {
  const page = await (await browsing.person()).newPage();
  await page.goto(`${url()}/s/nothing-of-this-name`);
  await page.getByText('There is no such document, or it is not shared with you.').waitFor();
  await page.getByRole('link', { name: 'All documents' }).last().click();
  await page.getByRole('heading', { name: 'Write together' }).waitFor();
});

test('where tokens are asked for, one comes with the address, which then loses it, or is asked for', async () => {
  const env = { AUTH_MODE: 'jwt', AUTH_JWT_SECRET: SECRET };
  const server = await processes.startServer({ documents: await processes.directory(), env });
  const page = await (await browsing.person()).newPage();
  await page.goto(`${server.url}/#token=${await secretToken({ sub: 'ann', name: 'Ann Example' })}`);
  await page.getByRole('button', { name: 'You are Ann Example' }).waitFor();
  expect(page.url()).toBe(`${server.url}/`);
  await page.getByRole('button', { name: 'New document' }).click();
  await page.waitForURL(/\/s\//);
  await new EditorWindow(page).shows('saved');

  const other = await (await browsing.person()).newPage();
  await other.goto(page.url());
  await other.getByLabel('Token').fill(await secretToken({ sub: 'ben' }));
  await other.getByRole('button', { name: 'Sign in' }).click();
  // It is Ann's, and nobody else's until she says so.
  await other.getByText('There is no such document, or it is not shared with you.').waitFor();
});
