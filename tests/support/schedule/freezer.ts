/** An instance that stands still, as under SIGSTOP: what it asked for is done when it goes on, what was answered is heard then. */
export class Freezer {
  #thawed: Promise<void> | null = null;
  #thaw: () => void = () => {};
  /** Requests, answers and news that had to wait, ever. */
  held = 0;

  freeze(): void {
    this.#thawed ??= new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  thaw(): void {
    this.#thawed = null;
    this.#thaw();
  }

  /** Resolves when the instance runs. */
  async passed(): Promise<void> {
    if (this.#thawed) this.held += 1;
    while (this.#thawed) await this.#thawed;
  }

  get isFrozen(): boolean {
    return this.#thawed !== null;
  }
}
