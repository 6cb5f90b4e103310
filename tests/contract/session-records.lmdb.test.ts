import { lmdbStoreOfTwoProcesses } from '../support/stores';
import { sessionRecordsContract } from './session-records.contract';

describe('SessionRecords on lmdb', () => {
  sessionRecordsContract(lmdbStoreOfTwoProcesses());
});
