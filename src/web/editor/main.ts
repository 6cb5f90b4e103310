import '../base.css';
import './editor.css';
import * as Y from 'yjs';
import { FlowClient, FlowYjsProvider, IndexedDbStorage, type FlowError } from '../../client/index';
import { Api } from '../api';
import { byId, element } from '../dom';
import { icon } from '../icons';
import { askForName, askForToken, currentIdentity, type Identity } from '../identity';
import { sessionIdIn } from '../links';
import { settings } from '../settings';
import { themeSwitch } from '../theme-switch';
import { forgetVisit, noteVisit } from '../visited';
import { Notice } from './notice';
import { colourOf, showPeople } from './people';
import { openShareDialog } from './share';
import { StatusLine } from './status-line';
import { statusText } from './status-text';
import type * as TextEditing from './text-editor';
import { TitleField } from './title-field';

/** The shared text in the document, by the name most editors use. */
const FIELD = 'content';

function begin(): void {
  themeSwitch(byId('theme', HTMLButtonElement));
  const back = byId('back', HTMLAnchorElement);
  back.href = `${settings.base}/`;
  back.append(icon('back'));
  byId('share', HTMLButtonElement).append(icon('share'), element('span', { class: 'share-label' }, ['Share']));
  byId('share', HTMLButtonElement).setAttribute('aria-label', 'Share');
  const sessionId = sessionIdIn(location.pathname);
  if (sessionId === null) return showNothing('This is no address of a document.');
  void currentIdentity().then((identity) => {
    if (identity) edit(sessionId, identity);
    else location.assign(`${settings.base}/`);
  });
}

function edit(sessionId: string, identity: Identity): void {
  let { token } = identity;
  const storage = storageFor(identity);
  const client = new FlowClient({
    url: location.origin,
    path: settings.socketPath,
    token: () => token,
    ...(storage ? { storage } : {}),
  });
  const doc = new Y.Doc();
  const text = doc.getText(FIELD);
  const provider = new FlowYjsProvider(client, sessionId, doc);
  // The larger half of the script runs while the document, which has just been asked for, is on its way.
  let loading: Promise<typeof TextEditing> | null = null;
  const load = (): Promise<typeof TextEditing> => (loading ??= import('./text-editor'));
  client.on('status', ({ state }) => {
    if (state === 'connected') load().catch(() => {});
  });
  const { session, awareness } = provider;
  if (!awareness) throw new Error('A provider that was given no awareness makes one.');
  awareness.setLocalStateField('user', { name: identity.name, color: colourOf(identity.name) });

  const status = new StatusLine(byId('status', HTMLElement), byId('announcement', HTMLElement));
  const notice = new Notice(byId('notice', HTMLElement));
  const title = new TitleField(byId('title', HTMLInputElement), async (chosen) => {
    await new Api(() => token).rename(sessionId, chosen);
  });
  let editor: TextEditing.TextEditor | null = null;
  let wasSynced = false;
  let isFull = false;
  let isStored = storage !== undefined;

  /** Made of what is there already, which takes less time than putting a document into an empty one. */
  const showText = async (): Promise<void> => {
    try {
      const { createTextEditor } = await load();
      editor ??= createTextEditor({ parent: byId('text', HTMLElement), text, awareness, nonce: settings.nonce });
      showStatus();
    } catch {
      showNothing('The editor could not be loaded. Load this page again.');
    }
  };
  const showStatus = (): void => {
    const { state } = session.status;
    const isOpen = wasSynced && editor !== null;
    status.show(statusText(session.status, isOpen));
    // What is written before the document is there, would be written without seeing it.
    const isWritable = isOpen && !isFull && !session.isReadOnly && state !== 'refused';
    editor?.setReadOnly(!isWritable);
    title.setEditable(wasSynced && !session.isReadOnly);
    // What was kept here of an earlier day.
    if (!editor && text.length > 0 && (state === 'offline' || state === 'refused')) void showText();
  };
  const takeTitle = (): void => {
    if (!session.info) return;
    title.show(session.info.title);
    noteVisit(session.info);
  };
  session.on('status', showStatus);
  session.on('role', showStatus);
  session.on('renamed', takeTitle);
  session.on('storage-failed', () => {
    isStored = false;
    notice.show('This browser has no room to keep edits. Do not close the tab before they are saved.');
  });
  provider.on('full', (value) => {
    isFull = value;
    if (value)
      notice.show(
        'No more edits can be kept here until the server takes some. The document can be written in again then.',
      );
    else notice.hide();
    showStatus();
  });
  provider.on('sync', (isSynced) => {
    if (!isSynced) return;
    takeTitle();
    if (wasSynced) return showStatus();
    wasSynced = true;
    void showText().then(() => session.isReadOnly || editor?.view.focus());
  });
  provider.on('refused', (reason) => void onRefused(reason));

  async function onRefused(reason: FlowError): Promise<void> {
    if (reason.code === 'UNAUTHENTICATED' && settings.auth === 'token') {
      const fresh = await askForToken(reason.message);
      if (!fresh) return;
      if (fresh.userId !== identity.userId) return location.reload();
      token = fresh.token;
      client.connect();
      return;
    }
    if (reason.code === 'SESSION_NOT_FOUND') forgetVisit(sessionId);
    if (text.length === 0 && !wasSynced) showNothing(whyNot(reason));
    else if (!session.isReadOnly)
      notice.show(`${whyNot(reason)} What is written here is kept as long as this tab is open.`, {
        label: 'Download the text',
        act: () => download(session.info?.title ?? '', text.toJSON()),
      });
  }

  const showWho = (): void =>
    showPeople(byId('people', HTMLElement), awareness, () => {
      void (settings.auth === 'open' ? changeName() : askForToken().then((fresh) => fresh && location.reload()));
    });
  async function changeName(): Promise<void> {
    // What is unsaved was written under the old one, and is sent under it.
    if (provider.unsaved > 0) return notice.show('You can take another name as soon as everything is saved.');
    if (await askForName(identity.name)) location.reload();
  }
  awareness.on('change', showWho);
  showWho();
  showStatus();
  byId('share', HTMLButtonElement).addEventListener('click', () => openShareDialog(session));
  window.addEventListener('beforeunload', (event) => {
    if (provider.unsaved > 0 && !isStored) event.preventDefault();
  });
  // The others see at once that the cursor is gone; a page that comes back from the browser's cache begins anew.
  window.addEventListener('pagehide', () => client.close());
  window.addEventListener('pageshow', (event) => event.persisted && location.reload());
}

/** Without locks, which browsers have only on https and on this machine, two tabs could not share what is stored. */
function storageFor({ userId }: Identity): IndexedDbStorage | undefined {
  return userId !== null && 'locks' in navigator ? new IndexedDbStorage({ userId }) : undefined;
}

function whyNot({ code, message }: FlowError): string {
  return code === 'SESSION_NOT_FOUND' ? 'There is no such document, or it is not shared with you.' : message;
}

function showNothing(why: string): void {
  for (const id of ['title', 'status', 'people', 'share']) byId(id, HTMLElement).hidden = true;
  byId('text', HTMLElement).replaceWith(
    element('main', { id: 'text', class: 'nothing' }, [
      element('h2', {}, ['Nothing here']),
      element('p', { class: 'muted' }, [why]),
      element('a', { class: 'button', 'data-kind': 'primary', href: `${settings.base}/` }, ['All documents']),
    ]),
  );
}

function download(title: string, text: string): void {
  const href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  element('a', { href, download: `${title || 'Untitled'}.txt` }).click();
  URL.revokeObjectURL(href);
}

begin();
