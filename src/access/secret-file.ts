import { randomBytes } from 'node:crypto';
import { readFile, link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../lib/make-directory';
import { faultCode } from '../lib/system-faults';

const SECRET_BYTES = 32;
const FILE_NAME = 'flow-secret';

export const randomSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** The secret kept beside the documents, made on first use. Processes that start together agree on one. */
export async function keptSecret(directory: string): Promise<string> {
  const path = join(directory, FILE_NAME);
  await makeDirectory(directory);
  try {
    return await readFile(path, 'utf8');
  } catch (fault) {
    if (faultCode(fault) !== 'ENOENT') throw fault;
  }
  // Written aside and linked into place: whoever reads the name reads a whole secret, and only the first link succeeds.
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(aside, randomSecret(), { mode: 0o600, flag: 'wx' });
  try {
    await link(aside, path);
  } catch (fault) {
    if (faultCode(fault) !== 'EEXIST') throw fault;
  } finally {
    await rm(aside, { force: true });
  }
  return readFile(path, 'utf8');
}
