import { createServer } from 'node:http';
import { loadConfig, type Config } from '../../config/load-config';
import { openAuthenticate, openAuthorize } from '../../src/access/open-access';
import { createFlowContainer, type Given } from '../../src/container';
import { silentLogger } from '../../src/lib/logger';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { ManualClock } from '../support/manual-clock';

function containerWith(config: Partial<Config>, given: Partial<Given> = {}) {
  return createFlowContainer({
    version: '0.0.0',
    config: { ...loadConfig({}), documentStore: 'memory', ...config },
    httpServer: createServer(),
    socketPath: '/socket.io',
    authenticate: openAuthenticate,
    authorize: openAuthorize,
    onSessionOpened: undefined,
    onSaved: undefined,
    store: undefined,
    ordering: undefined,
    clock: new ManualClock(),
    log: silentLogger,
    phase: () => 'ready',
    ...given,
  });
}

test.each(['memory', 'lmdb'] as const)(
  'with store %s every registration resolves, to the same thing each time',
  async (documentStore) => {
    const container = containerWith({ documentStore });
    const names = Object.keys(container.registrations);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      const resolved: unknown = container.resolve(name);
      expect(resolved).toBeDefined();
      expect(container.resolve(name)).toBe(resolved);
    }
    await container.cradle.io.close();
  },
);

test('a name that is not registered is an error, not undefined', () => {
  expect(() => containerWith({}).resolve('noSuchService')).toThrow('noSuchService');
});

test('the store is the configured one, or the one that is given', () => {
  expect(containerWith({ documentStore: 'memory' }).cradle.store).toBeInstanceOf(MemoryDocumentStore);
  expect(containerWith({ documentStore: 'lmdb' }).cradle.store).toBeInstanceOf(LmdbDocumentStore);
  const store = new MemoryDocumentStore();
  expect(containerWith({ documentStore: 'lmdb' }, { store }).cradle.store).toBe(store);
});

test('the order is the own one, or the one that is given', () => {
  expect(containerWith({}).cradle.ordering.scope).toBe('process');
  const ordering = new MemoryEventOrdering({ clock: new ManualClock(), scope: 'shared' });
  expect(containerWith({}, { ordering }).cradle.ordering).toBe(ordering);
});
