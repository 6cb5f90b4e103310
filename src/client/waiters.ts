import type { FlowError } from '../protocol/errors';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: FlowError) => void;
}

/** Promises that end together. */
export class Waiters {
  #waiting: Waiter[] = [];

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  resolve(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  reject(error: FlowError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
