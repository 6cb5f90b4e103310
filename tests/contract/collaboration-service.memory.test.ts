import { MemoryCollaborationService } from '../../src/sessions/memory-collaboration-service';
import { ManualClock } from '../support/manual-clock';
import { sharedLmdbStore, sharedMemoryStore, type SharedStore } from '../support/stores';
import { collaborationServiceContract } from './collaboration-service.contract';

const stores: Array<[string, () => Promise<SharedStore>]> = [
  ['memory', sharedMemoryStore],
  ['lmdb', sharedLmdbStore],
];

for (const [name, open] of stores) {
  collaborationServiceContract(`memory, records in ${name}`, async () => {
    const store = await open();
    const clock = new ManualClock();
    return {
      one: new MemoryCollaborationService({ records: store.one.sessionRecords, clock }),
      other: new MemoryCollaborationService({ records: store.other.sessionRecords, clock }),
      store: store.one,
      pass: async (ms) => clock.advance(ms),
      stop: () => store.close(),
    };
  });
}
