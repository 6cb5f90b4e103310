import { byId } from '../dom';

const KEY = 'flow-admin-token';

/** The token of the administrators, as long as this tab lives, and the dialog that asks for it. */
export class Administrator {
  readonly #dialog = byId('token-dialog', HTMLDialogElement);
  readonly #field = byId('token', HTMLInputElement);
  readonly #complaint = byId('complaint', HTMLParagraphElement);
  readonly #button = byId('administrator', HTMLButtonElement);

  /** `onChange`: there is a token now, or none any more. */
  constructor(onChange: () => void) {
    this.#button.addEventListener('click', () => {
      if (this.token === null) return this.#open('');
      this.#keep(null);
      onChange();
    });
    byId('cancel', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    byId('token-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#keep(this.#field.value.trim());
      this.#dialog.close();
      onChange();
    });
    this.#name();
  }

  get token(): string | null {
    return sessionStorage.getItem(KEY);
  }

  /** The server does not take it. */
  refuse(): void {
    this.#keep(null);
    this.#open('The server does not take this token.');
  }

  #open(complaint: string): void {
    this.#field.value = '';
    this.#complaint.textContent = complaint;
    this.#dialog.showModal();
  }

  #keep(token: string | null): void {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
    this.#name();
  }

  #name(): void {
    this.#button.textContent = this.token === null ? 'Administrator' : 'Show less';
  }
}
