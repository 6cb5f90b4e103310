/** The moment after which an instance has no effect on anything any more, as if its process had been killed. */
export class Severance {
  #isSevered = false;
  readonly #listeners: Array<() => void> = [];

  get isSevered(): boolean {
    return this.#isSevered;
  }

  sever(): void {
    this.#isSevered = true;
    for (const run of this.#listeners.splice(0)) run();
  }

  onSevered(run: () => void): void {
    if (this.#isSevered) run();
    else this.#listeners.push(run);
  }
}
