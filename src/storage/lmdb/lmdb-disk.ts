import { statfs } from 'node:fs/promises';

/** What Linux says of file systems whose locks and shared memory do not reach other machines (linux/magic.h). */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
]);

/** Null: it is on this machine, as far as can be told. */
export const networkFileSystemOf = (magic: number): string | null => NETWORK_FILE_SYSTEMS.get(magic) ?? null;

/** LMDB's processes see each other through shared memory: on a network disk two machines would write over each other. */
export async function refuseNetworkDisk(directory: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const network = networkFileSystemOf((await statfs(directory)).type);
  if (network)
    throw new Error(`The directory is on a network file system (${network}): it must be on a disk of this machine.`);
}
