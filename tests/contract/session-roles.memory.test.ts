import { sharedMemoryStore } from '../support/stores';
import { sessionRolesContract } from './session-roles.contract';

describe('SessionRoles on memory', () => {
  sessionRolesContract(sharedMemoryStore);
});
