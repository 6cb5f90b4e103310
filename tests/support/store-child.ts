// A process of its own with document stores in it, for tests that need several: obeys its parent, and ends with it.

import { writeSync } from 'node:fs';
import { silentLogger } from '../../src/lib/logger';
import { rootMessageOf } from '../../src/lib/system-faults';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import type { StoreCall, StoreReply } from './store-process';

/** By the number the parent gave them. */
const stores = new Map<number, LmdbDocumentStore>();

const reply = (message: StoreReply): void => void process.send?.(message);

async function answer({ store: number, port, method, args, options }: StoreCall): Promise<unknown> {
  if (options) stores.set(number, new LmdbDocumentStore({ log: silentLogger, ...options }));
  const store = stores.get(number);
  const target: unknown = port ? store?.[port] : store;
  const called: unknown = typeof target === 'object' && target !== null ? Reflect.get(target, method) : undefined;
  if (typeof called !== 'function') throw new TypeError(`a store has no ${method}`);
  return Reflect.apply(called, target, args) as unknown;
}

process.on('message', (call: StoreCall) => {
  answer(call).then(
    (answered) => {
      // For those who trace system calls: here the caller is told.
      writeSync(1, `told ${call.id} ${call.method}\n`);
      reply({ id: call.id, answer: answered });
    },
    (fault: unknown) => {
      const code = typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : '';
      const message = fault instanceof Error ? fault.message : '';
      reply({ id: call.id, fault: { code, message: `${message} (${rootMessageOf(fault)})` } });
    },
  );
});
process.on('disconnect', () => process.exit(0));
process.on('unhandledRejection', (fault) => reply({ unhandled: String(fault) }));
reply({ isReady: true });
