import { sharedMemoryStore } from '../support/stores';
import { snapshotsContract } from './snapshots.contract';

describe('Snapshots on memory', () => {
  snapshotsContract(sharedMemoryStore);
});
