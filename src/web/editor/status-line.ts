import type { StatusText } from './status-text';

/** So long something stays unsaved to the eye at least: `saved` is never said too early, and nothing flickers while somebody types. */
const CALM_MS = 400;
/** What lasts so long is told to those who listen. */
const TOLD_AFTER_MS = 1_500;

/** Shows the status, and tells screen readers of what lasts. */
export class StatusLine {
  readonly #line: HTMLElement;
  readonly #announcement: HTMLElement;
  #calmTimer = 0;
  #tellTimer = 0;
  #busyUntil = 0;
  #told = '';

  constructor(line: HTMLElement, announcement: HTMLElement) {
    this.#line = line;
    this.#announcement = announcement;
  }

  show(status: StatusText): void {
    window.clearTimeout(this.#calmTimer);
    const now = performance.now();
    const waitMs = status.kind === 'good' ? this.#busyUntil - now : 0;
    if (waitMs > 0) {
      this.#calmTimer = window.setTimeout(() => this.show(status), waitMs);
      return;
    }
    if (status.kind !== 'good' && this.#line.dataset['kind'] === 'good') this.#busyUntil = now + CALM_MS;
    this.#line.textContent = status.text;
    this.#line.title = status.text;
    this.#line.dataset['kind'] = status.kind;
    this.#tellSoon(status.text);
  }

  #tellSoon(text: string): void {
    // Numbers change with every key.
    const lasting = text.replace(/^saving \d+$/, 'saving');
    if (lasting === this.#told) return;
    this.#told = lasting;
    window.clearTimeout(this.#tellTimer);
    this.#tellTimer = window.setTimeout(() => {
      this.#announcement.textContent = lasting;
    }, TOLD_AFTER_MS);
  }
}
