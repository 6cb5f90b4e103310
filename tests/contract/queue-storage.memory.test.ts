import { MemoryStorage } from '../../src/client/memory-storage';
import { queueStorageContract } from './queue-storage.contract';

describe('Stored queues on memory', () => {
  queueStorageContract(
    () => new MemoryStorage(),
    async (storage) => storage,
  );
});
