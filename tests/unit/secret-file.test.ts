import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keptSecret } from '../../src/access/secret-file';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flow-secret-'));
  path = join(directory, 'flow-secret');
});

afterEach(() => {
  jest.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

test('a secret is made once, for its owner only, and leaves nothing else behind', async () => {
  const secret = await keptSecret(directory);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(await keptSecret(directory)).toBe(secret);
  expect(readFileSync(path, 'utf8')).toBe(secret);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['flow-secret']);
});

test('a directory that is not there is made, for its owner only', async () => {
  const deeper = join(directory, 'not', 'there');
  expect(await keptSecret(deeper)).toBe(readFileSync(join(deeper, 'flow-secret'), 'utf8'));
  for (const made of [deeper, join(directory, 'not')]) expect(statSync(made).mode & 0o777).toBe(0o700);
});

test('those who start together agree on one', async () => {
  const secrets = await Promise.all(Array.from({ length: 10 }, () => keptSecret(directory)));
  expect(new Set(secrets).size).toBe(1);
  expect(readdirSync(directory)).toEqual(['flow-secret']);
});

test('the file is on disk before it has its name, and then its name is', async () => {
  const handle = await open(directory, 'r');
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const { sync } = prototype;
  const synced: Array<{ isFile: boolean; hasName: boolean }> = [];
  jest.spyOn(prototype, 'sync').mockImplementation(async function (this: typeof handle) {
    synced.push({ isFile: (await this.stat()).isFile(), hasName: existsSync(path) });
    return sync.call(this);
  });
  await keptSecret(directory);
  expect(synced).toEqual([
    { isFile: true, hasName: false },
    { isFile: false, hasName: true },
  ]);
});

test.each([
  ['empty', ''],
  ['cut short', 'only this much'],
])('a file that is %s is refused: it says which one and what to do, and is left as it is', async (_what, text) => {
  writeFileSync(path, text);
  await expect(keptSecret(directory)).rejects.toThrow(`The secret in ${path} is damaged`);
  expect(readFileSync(path, 'utf8')).toBe(text);
  rmSync(path);
  expect(await keptSecret(directory)).toHaveLength(43);
});
