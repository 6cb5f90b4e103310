import '../base.css';
import './home.css';
import { Api, ApiFault } from '../api';
import { ask } from '../ask';
import { byId, element } from '../dom';
import { icon } from '../icons';
import { askForName, askForToken, currentIdentity, type Identity } from '../identity';
import { addressOf, sessionIdIn } from '../links';
import { settings } from '../settings';
import { themeSwitch } from '../theme-switch';
import { forgetVisit, visited } from '../visited';
import { merge, type Entry } from './entries';

const complaint = byId('complaint', HTMLElement);
const me = byId('me', HTMLButtonElement);
let identity: Identity | null = null;
const api = new Api(() => identity?.token ?? '');

/** Runs something that the server may refuse; what it says is shown. */
function attempt(act: () => Promise<void>): void {
  complaint.textContent = '';
  act().catch(async (fault: unknown) => {
    if (fault instanceof ApiFault && fault.code === 'UNAUTHENTICATED' && settings.auth === 'token') {
      identity = (await askForToken(fault.message)) ?? identity;
      return showMe();
    }
    complaint.textContent = fault instanceof Error ? fault.message : String(fault);
  });
}

async function showDocuments(): Promise<void> {
  const entries = merge(await api.list(), visited());
  byId('documents', HTMLElement).replaceChildren(...entries.map(row));
  byId('empty', HTMLElement).hidden = entries.length > 0;
}

function row({ sessionId, title, at }: Entry): HTMLLIElement {
  const action = (label: string, name: 'pencil' | 'copy', act: () => Promise<void>): HTMLButtonElement =>
    element(
      'button',
      { type: 'button', class: 'button', 'data-kind': 'icon', 'aria-label': `${label} ${title}`, title: label },
      [icon(name)],
      { click: () => attempt(act) },
    );
  return element('li', {}, [
    element('a', { href: addressOf(sessionId) }, [
      icon('document'),
      element('span', { class: 'name' }, [title]),
      element('time', { class: 'when', datetime: new Date(at).toISOString() }, [dayOf(at)]),
    ]),
    action('Rename', 'pencil', () => rename(sessionId, title)),
    action('Duplicate', 'copy', () => duplicate(sessionId, title)),
  ]);
}

const dayOf = (at: number): string => new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short' });

async function rename(sessionId: string, title: string): Promise<void> {
  const chosen = await ask({
    title: 'Rename document',
    label: 'Title',
    value: title,
    accept: 'Rename',
    check: (answer) => (answer === '' ? 'A document needs a title.' : null),
  });
  if (chosen === null) return;
  await orForget(sessionId, api.rename(sessionId, chosen));
  await showDocuments();
}

async function duplicate(sessionId: string, title: string): Promise<void> {
  await orForget(sessionId, api.duplicate(sessionId, `Copy of ${title}`));
  await showDocuments();
}

/** What is gone leaves the list. */
async function orForget(sessionId: string, answer: Promise<unknown>): Promise<void> {
  await answer.catch(async (fault: unknown) => {
    if (fault instanceof ApiFault && fault.code === 'SESSION_NOT_FOUND') {
      forgetVisit(sessionId);
      await showDocuments();
    }
    throw fault;
  });
}

function showMe(): void {
  me.textContent = identity ? identity.name : 'Sign in';
  me.setAttribute('aria-label', identity ? `You are ${identity.name}. Change this` : 'Sign in');
  if (identity) attempt(showDocuments);
}

themeSwitch(byId('theme', HTMLButtonElement));
byId('create', HTMLButtonElement).prepend(icon('plus'));
byId('create', HTMLButtonElement).addEventListener('click', () =>
  attempt(async () => {
    const { sessionId } = await api.create('Untitled');
    location.assign(addressOf(sessionId));
  }),
);
byId('open', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const sessionId = sessionIdIn(byId('link', HTMLInputElement).value);
  if (sessionId === null) complaint.textContent = 'This is no link of a document.';
  else location.assign(addressOf(sessionId));
});
me.addEventListener('click', () =>
  attempt(async () => {
    const changed = settings.auth === 'open' ? await askForName(identity?.name ?? '') : await askForToken();
    identity = changed ?? identity;
    showMe();
  }),
);
attempt(async () => {
  identity = await currentIdentity();
  showMe();
});
