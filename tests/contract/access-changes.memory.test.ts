import { sharedMemoryStore } from '../support/stores';
import { accessChangesContract } from './access-changes.contract';

describe('AccessChanges on memory', () => {
  accessChangesContract(sharedMemoryStore);
});
