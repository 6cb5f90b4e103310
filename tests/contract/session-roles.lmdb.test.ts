import { lmdbStoreOfTwoProcesses } from '../support/stores';
import { sessionRolesContract } from './session-roles.contract';

describe('SessionRoles on lmdb', () => {
  sessionRolesContract(lmdbStoreOfTwoProcesses());
});
