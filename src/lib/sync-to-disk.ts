import { open } from 'node:fs/promises';

/** Resolves when a file's content, or with `r` the names in a directory, would survive a loss of power. */
export async function syncToDisk(path: string, flags: 'r' | 'r+'): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
