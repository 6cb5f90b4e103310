import { sharedMemoryStore } from '../support/stores';
import { sessionRecordsContract } from './session-records.contract';

describe('SessionRecords on memory', () => {
  sessionRecordsContract(sharedMemoryStore);
});
