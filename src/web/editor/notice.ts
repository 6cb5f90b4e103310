import { element } from '../dom';

/** A line under the head of the page, for what somebody should know before they go on. */
export class Notice {
  readonly #place: HTMLElement;

  constructor(place: HTMLElement) {
    this.#place = place;
  }

  show(text: string, action?: { readonly label: string; readonly act: () => void }): void {
    this.#place.replaceChildren(
      element('p', { role: 'alert' }, [text]),
      action ? element('button', { type: 'button', class: 'button' }, [action.label], { click: action.act }) : '',
      element('button', { type: 'button', class: 'button', 'data-kind': 'quiet' }, ['Close'], {
        click: () => this.hide(),
      }),
    );
    this.#place.hidden = false;
  }

  hide(): void {
    this.#place.hidden = true;
  }
}
