import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../lib/make-directory';
import { syncToDisk } from '../lib/sync-to-disk';
import { faultCode } from '../lib/system-faults';

const SECRET_BYTES = 32;
const FILE_NAME = 'flow-secret';
/** As many as FLOW_SECRET must have. */
const MIN_SECRET_CHARS = 16;

export const randomSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** The secret kept beside the documents, made on first use. Processes that start together agree on one. */
export async function keptSecret(directory: string): Promise<string> {
  const path = join(directory, FILE_NAME);
  await makeDirectory(directory);
  return (await readSecret(path)) ?? makeSecret(directory, path);
}

/** Null: there is none yet. */
async function readSecret(path: string): Promise<string | null> {
  let secret: string;
  try {
    secret = await readFile(path, 'utf8');
  } catch (fault) {
    if (faultCode(fault) === 'ENOENT') return null;
    throw fault;
  }
  // Not replaced here: another process may be doing the same, and the two would sign with different ones.
  if (secret.length < MIN_SECRET_CHARS) {
    throw new Error(
      `The secret in ${path} is damaged: it has ${secret.length} characters. Put the file back from a backup, or remove it: ` +
        'then a new one is made, and clients come back under new ids.',
    );
  }
  return secret;
}

/** Written aside and linked into place: whoever reads the name reads a whole secret, and only the first link succeeds. */
async function makeSecret(directory: string, path: string): Promise<string> {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const secret = randomSecret();
  try {
    // On disk before it has its name: a loss of power could leave the name with nothing in it.
    await writeSynced(aside, secret);
    await link(aside, path);
    await syncToDisk(directory, 'r');
    return secret;
  } catch (fault) {
    const others = faultCode(fault) === 'EEXIST' ? await readSecret(path) : null;
    if (others === null) throw fault;
    return others;
  } finally {
    await rm(aside, { force: true });
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
