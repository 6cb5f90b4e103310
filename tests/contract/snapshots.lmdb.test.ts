import { lmdbStoreOfTwoProcesses } from '../support/stores';
import { snapshotsContract } from './snapshots.contract';

describe('Snapshots on lmdb', () => {
  snapshotsContract(lmdbStoreOfTwoProcesses());
});
