import { sharedMemoryStore } from '../support/stores';
import { operationLogContract } from './operation-log.contract';

describe('OperationLog on memory', () => {
  operationLogContract(sharedMemoryStore);
});
