import { eventually } from '../support/eventually';
import { RedisServer } from '../support/redis-server';
import { brokenServer, portToComeBackTo } from '../support/server-process';
import { converged, EditorWindow } from './support/editor-window';
import { browserTests } from './support/setup';

const { browsing, processes, url } = browserTests();

const lettersOf = (text: string): string => [...text].sort().join('');

test('[CL4] what is written offline survives the end of the tab, and is sent when the document is opened again', async () => {
  const ann = await browsing.named('Ann');
  const first = await EditorWindow.create(ann, url(), 'Ann');
  const ben = await EditorWindow.open(await browsing.named('Ben'), first.address);
  const carl = await EditorWindow.open(await browsing.named('Carl'), first.address);
  await first.type('before ');
  await first.shows('saved');

  await ann.setOffline(true);
  await first.shows(/^offline/);
  await first.type('offline ');
  await first.shows(/^offline, \d+ edits kept here$/);
  await ben.type('meanwhile ');
  expect(await converged(ben, carl)).toBe('before meanwhile ');
  await first.page.close();

  await ann.setOffline(false);
  const again = await EditorWindow.open(ann, ben.address);
  const text = await converged(again, ben, carl);
  expect(lettersOf(text)).toBe(lettersOf('before offline meanwhile '));
});

test('a server that is killed while somebody types loses nothing, and the status says what is going on', async () => {
  const documents = await processes.directory();
  const port = await portToComeBackTo();
  const server = await processes.startServer({ documents, port });
  const ann = await EditorWindow.create(await browsing.named('Ann'), server.url, 'Ann');
  const ben = await EditorWindow.open(await browsing.named('Ben'), ann.address);
  const written = 'Sphinx of black quartz, judge my vow. '.repeat(4);
  await ann.toEnd();
  const typing = ann.page.keyboard.type(written, { delay: 15 });
  await ben.page.getByText('Sphinx').waitFor();
  await server.end('SIGKILL');
  await ann.shows(/^offline, \d+ edits? kept here$/);
  await processes.startServer({ documents, port });
  await typing;
  expect(await converged(ann, ben)).toBe(written);
  const statuses = await ann.statuses();
  const since = statuses.slice(statuses.indexOf('offline')).filter((status) => status !== 'reconnecting');
  expect([since[0], ...since.slice(-2)]).toEqual(['offline', 'saving', 'saved']);
  expect(new Set(statuses)).toEqual(new Set(['opening', 'saved', 'saving', 'offline', 'reconnecting']));
});

/** Nobody has the text in a window when the server dies: it must have been where the status said. */
async function textAfterTheWindowAndTheServer(command?: readonly string[]): Promise<string> {
  const documents = await processes.directory();
  const server = await processes.startServer({ documents, ...(command ? { command } : {}) });
  const ann = await browsing.named('Ann');
  const window = await EditorWindow.create(ann, server.url, 'Ann');
  await window.type('kept');
  await window.shows('saved');
  const { sessionId } = window;
  await window.page.close();
  await server.end('SIGKILL');
  const { url } = await processes.startServer({ documents });
  const page = await ann.newPage();
  await page.goto(`${url}/s/${sessionId}`);
  const again = new EditorWindow(page);
  await eventually('an answer', async () =>
    expect((await again.status()) === 'saved' || (await page.getByText('no such document').isVisible())).toBe(true),
  );
  return (await page.locator('.cm-line').count()) > 0 ? again.text() : '';
}

test('what the status calls saved is there after the window was closed and the server killed', async () => {
  expect(await textAfterTheWindowAndTheServer()).toBe('kept');
});

test('a server that says saved too early is found out by that', async () => {
  expect(await textAfterTheWindowAndTheServer(brokenServer('saved-before-the-commit'))).toBe('');
});

test('two instances behind different ports show one document', async () => {
  const redis = await RedisServer.start();
  processes.onClean(() => redis.stop());
  const documents = await processes.directory();
  const env = {
    REDIS_URL: redis.url,
    USE_REDIS_WEBSOCKETS: 'true',
    USE_REDIS_COLLABORATION: 'true',
    USE_REDIS_EVENT_ORDERING: 'true',
  };
  const one = await processes.startServer({ documents, env });
  const other = await processes.startServer({ documents, env });
  const ann = await EditorWindow.create(await browsing.named('Ann'), one.url, 'Ann');
  const ben = await EditorWindow.open(await browsing.named('Ben'), `${other.url}/s/${ann.sessionId}`);
  await Promise.all([ann.type('here '), ben.type('there ')]);
  expect(lettersOf(await converged(ann, ben))).toBe(lettersOf('here there '));
  await ann.showsCursors('Ben');
  await ben.showsCursors('Ann');
});
