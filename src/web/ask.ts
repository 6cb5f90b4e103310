import { element } from './dom';

export interface Question {
  readonly title: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  readonly accept: string;
  /** What is wrong with an answer; null: nothing. */
  readonly check: (answer: string) => string | null;
}

/** Asks for one line of text in a dialog; null when it was left without an answer. */
export function ask({ title, label, hint, value = '', accept, check }: Question): Promise<string | null> {
  return new Promise((resolve) => {
    const field = element('input', {
      id: 'answer',
      class: 'field',
      autocomplete: 'off',
      'aria-describedby': 'complaint',
    });
    field.value = value;
    const complaint = element('p', { id: 'complaint', class: 'complaint', role: 'alert' });
    const form = element('form', { method: 'dialog' }, [
      element('h2', { id: 'question' }, [title]),
      hint === undefined ? null : element('p', { class: 'muted hint' }, [hint]),
      element('label', { for: 'answer' }, [label]),
      field,
      complaint,
      element('div', { class: 'actions' }, [
        element('button', { type: 'button', class: 'button' }, ['Cancel'], { click: () => dialog.close() }),
        element('button', { class: 'button', 'data-kind': 'primary' }, [accept]),
      ]),
    ]);
    const dialog = element('dialog', { 'aria-labelledby': 'question' }, [form]);
    let answer: string | null = null;
    form.addEventListener('submit', (event) => {
      const fault = check(field.value.trim());
      if (fault !== null) {
        event.preventDefault();
        complaint.textContent = fault;
        return field.focus();
      }
      answer = field.value.trim();
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    field.select();
  });
}
