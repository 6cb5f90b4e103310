import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { faultCode } from '../../lib/system-faults';

/** Layout of a data file's first two pages: a header of 24 bytes, then what LMDB calls its meta. */
const META_AT = 24;
const MAGIC = 0xbeefc0de;
/** Offsets within a meta. */
const PAGE_BYTES_AT = 24;
const ROOT_PAGES_AT = [64, 112];
const LAST_PAGE_AT = 120;
const TRANSACTION_AT = 128;
const META_BYTES = 136;

/** Root of a table without entries. */
const NO_PAGE = 2n ** 64n - 1n;
/** No transaction leaves more unwritten at its end. */
const MAX_UNWRITTEN_BYTES = 67_108_864;

/**
 * Looks at a data file before LMDB maps it into memory, where damage kills the process: a file that is none of LMDB's is refused, and
 * one that ends before its last page gets what is missing as zeros, which LMDB reports as damage if it ever meets them.
 */
export async function checkFile(path: string): Promise<void> {
  const file = await openIfThere(path, constants.O_RDWR | constants.O_APPEND);
  if (!file) return;
  try {
    // Pages that a transaction took and gave back are never written, so that a healthy file may end early, too. Appending cannot
    // overwrite what another process writes meanwhile.
    const missingBytes = await missingFrom(file);
    if (missingBytes > 0) await file.write(Buffer.alloc(missingBytes));
  } finally {
    await file.close();
  }
}

/** The same look, with nothing appended: how many bytes are missing at its end. Rejects where it is damaged. */
export async function missingBytesOf(path: string): Promise<number> {
  const file = await openIfThere(path, constants.O_RDONLY);
  if (!file) return 0;
  try {
    return await missingFrom(file);
  } finally {
    await file.close();
  }
}

async function missingFrom(file: FileHandle): Promise<number> {
  if ((await file.stat()).size === 0) return 0;
  const first = await readMeta(file, 0);
  const second = first && (await readMeta(file, first.pageBytes));
  if (!first || !second) throw new Error('The file is damaged, or no file of a store: restore it from a backup.');
  const { lastPage, lastRootPage } = first.transaction > second.transaction ? first : second;
  // Its size now, not before: another process may be writing, and pages come before the meta that counts them.
  const { size } = await file.stat();
  const missingBytes = (lastPage + 1) * first.pageBytes - size;
  if (missingBytes > MAX_UNWRITTEN_BYTES || (lastRootPage + 1) * first.pageBytes > size)
    throw new Error(`The file is cut short by ${missingBytes} bytes: restore it from a backup.`);
  return Math.max(0, missingBytes);
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly lastRootPage: number;
  readonly transaction: number;
}

/** Null: there is none. */
async function readMeta(file: FileHandle, pageAt: number): Promise<Meta | null> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(META_BYTES), 0, META_BYTES, pageAt + META_AT);
  if (bytesRead < META_BYTES || buffer.readUInt32LE(0) !== MAGIC) return null;
  const rootPages = ROOT_PAGES_AT.map((at) => buffer.readBigUInt64LE(at)).filter((page) => page !== NO_PAGE);
  return {
    pageBytes: buffer.readUInt32LE(PAGE_BYTES_AT),
    lastPage: Number(buffer.readBigUInt64LE(LAST_PAGE_AT)),
    lastRootPage: Math.max(0, ...rootPages.map(Number)),
    transaction: Number(buffer.readBigUInt64LE(TRANSACTION_AT)),
  };
}

async function openIfThere(path: string, flags: number): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (fault) {
    if (faultCode(fault) === 'ENOENT') return null;
    throw fault;
  }
}
