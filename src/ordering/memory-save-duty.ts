import type { SaveDuty } from './save-duty';

/** One process saves what it orders: every claim is granted and nothing is ever orphaned (SV1). */
export class MemorySaveDuty implements SaveDuty {
  async claim(sessionIds: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(sessionIds);
  }

  async release(): Promise<void> {}

  async orphans(): Promise<readonly string[]> {
    return [];
  }
}
