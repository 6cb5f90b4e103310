/** The title of the document, to be read and changed in place. */
export class TitleField {
  readonly #field: HTMLInputElement;
  readonly #rename: (title: string) => Promise<void>;
  #title = '';

  constructor(field: HTMLInputElement, rename: (title: string) => Promise<void>) {
    this.#field = field;
    this.#rename = rename;
    field.addEventListener('change', () => this.#offer());
    field.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') field.value = this.#title;
      if (key === 'Escape' || key === 'Enter') field.blur();
    });
  }

  /** What somebody is just typing is left alone. */
  show(title: string): void {
    this.#title = title;
    document.title = `${title || 'Untitled'} · Flow`;
    if (document.activeElement !== this.#field) this.#field.value = title;
  }

  setEditable(isEditable: boolean): void {
    this.#field.disabled = !isEditable;
  }

  #offer(): void {
    const chosen = this.#field.value.trim();
    if (chosen === '' || chosen === this.#title) {
      this.#field.value = this.#title;
      return;
    }
    const fail = (fault: unknown): void => {
      this.#field.setCustomValidity(fault instanceof Error ? fault.message : String(fault));
      this.#field.reportValidity();
      this.#field.setCustomValidity('');
      this.#field.value = this.#title;
    };
    this.#rename(chosen).then(() => this.show(chosen), fail);
  }
}
