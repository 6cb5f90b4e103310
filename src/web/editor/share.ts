import type { AccessList, FlowSession, LinkAccess, Role } from '../../client/index';
import { element } from '../dom';
import { addressOf } from '../links';

const LINK_MEANINGS: Readonly<Record<LinkAccess, string>> = {
  none: 'Nobody but the people below',
  viewer: 'Everybody with the link can read',
  commenter: 'Everybody with the link can read and comment',
  editor: 'Everybody with the link can write',
};
const ROLE_NAMES: Readonly<Record<Role | 'none', string>> = {
  owner: 'Owner',
  editor: 'Can write',
  commenter: 'Can comment',
  viewer: 'Can read',
  none: 'Take away',
};

/** With whom the document is shared. Owners change it, editors see it, others get the link to pass on. */
export function openShareDialog(session: FlowSession): void {
  const access = element('div', {});
  const complaint = element('p', { class: 'complaint', role: 'alert' });
  const dialog = element('dialog', { 'aria-labelledby': 'share-title' }, [
    element('h2', { id: 'share-title' }, ['Share']),
    linkField(session.sessionId),
    access,
    complaint,
    element('div', { class: 'actions' }, [
      element('button', { type: 'button', class: 'button', 'data-kind': 'primary' }, ['Done'], {
        click: () => dialog.close(),
      }),
    ]),
  ]);
  const show = (answer: Promise<AccessList>): void => {
    complaint.textContent = '';
    answer.then(
      (list) => access.replaceChildren(...accessForm(session, list, show)),
      (fault: unknown) => {
        complaint.textContent = fault instanceof Error ? fault.message : String(fault);
      },
    );
  };
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  if (session.role === 'owner' || session.role === 'editor') show(session.listRoles());
}

function linkField(sessionId: string): HTMLElement {
  const address = new URL(addressOf(sessionId), location.href).href;
  const field = element('input', { id: 'share-link', class: 'field', readonly: '' }, [], {
    focus: () => field.select(),
  });
  field.value = address;
  const copy = element('button', { type: 'button', class: 'button' }, ['Copy'], {
    click: () => {
      field.select();
      // Where a page may not use the clipboard, the link is selected.
      void Promise.resolve(navigator.clipboard?.writeText(address)).then(
        () => (copy.textContent = 'Copied'),
        () => (copy.textContent = 'Selected'),
      );
    },
  });
  return element('div', {}, [
    element('label', { for: 'share-link' }, ['Link']),
    element('div', { class: 'link' }, [field, copy]),
  ]);
}

function accessForm(
  session: FlowSession,
  list: AccessList,
  show: (answer: Promise<AccessList>) => void,
): HTMLElement[] {
  const isOwner = session.role === 'owner';
  const link = choice('share-access', LINK_MEANINGS, list.link, isOwner, (chosen) => show(session.setLink(chosen)));
  const people = list.roles.map(({ userId, role }) => {
    const id = `role-of-${userId}`;
    const chosen = choice(id, ROLE_NAMES, role, isOwner, (next) => show(session.setRole(userId, next)));
    return element('li', {}, [element('label', { for: id }, [userId]), chosen]);
  });
  return [
    element('div', { class: 'share-part' }, [
      element('label', { for: 'share-access' }, ['Who the link lets in']),
      link,
    ]),
    element('ul', { class: 'roles', 'aria-label': 'People with a role' }, people),
    ...(isOwner ? [inviteForm(session, show)] : []),
  ];
}

function inviteForm(session: FlowSession, show: (answer: Promise<AccessList>) => void): HTMLFormElement {
  const user = element('input', { id: 'invite', class: 'field', autocomplete: 'off', required: '', maxlength: '256' });
  return element(
    'form',
    {},
    [
      element('label', { for: 'invite' }, ['Add somebody, by name or user id']),
      element('div', { class: 'link' }, [user, element('button', { class: 'button' }, ['Add'])]),
    ],
    {
      submit: (event) => {
        event.preventDefault();
        show(session.setRole(user.value.trim(), 'editor'));
      },
    },
  );
}

function choice<Value extends string>(
  id: string,
  meanings: Readonly<Record<Value, string>>,
  value: Value,
  isEnabled: boolean,
  onChosen: (value: Value) => void,
): HTMLSelectElement {
  const values = Object.keys(meanings) as Value[];
  const select = element(
    'select',
    { id, class: 'field', disabled: isEnabled ? null : '' },
    values.map((one) => element('option', { value: one }, [meanings[one]])),
    { change: () => onChosen(values.find((one) => one === select.value) ?? value) },
  );
  select.value = value;
  return select;
}
