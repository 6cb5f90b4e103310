import { sharedLmdbStore } from '../support/stores';
import { operationLogContract } from './operation-log.contract';

describe('OperationLog on lmdb', () => {
  operationLogContract(sharedLmdbStore);
});
