import { chmod, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { FlowClient } from '../../src/client/flow-client';
import { health } from '../../src/http/schemas';
import { ask, Processes, SERVER, type Ended, type Variables } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const HERE = { HOST: '127.0.0.1', PORT: '0' };

/** Runs a server that is expected not to start, to its end. */
const start = (env: Variables): Promise<Ended & { output: string }> =>
  processes.run(SERVER, [], { env: { ...HERE, ...env } });

/** The line for people; nothing buries it. */
const reasonIn = (output: string): string | undefined => {
  expect(output).not.toMatch(/"stack"|"level":60|"msg":"stopped"/);
  return output.split('\n').find((line) => line.startsWith('Flow Backend cannot start. '));
};

describe('a configuration at fault', () => {
  test('is told as a whole, by variable, with what is allowed, and the exit code is 78', async () => {
    const { code, output } = await start({
      PORT: '70000',
      HOST: 'not a host',
      LOG_LEVEL: 'loud',
      DOCUMENT_STORE: 'floppy',
      SAVE_INTERVAL_MS: 'soon',
      MAX_BATCH_BYTES: '10',
      USE_REDIS_WEBSOCKETS: 'maybe',
      USE_REDIS_TELEPATHY: 'true',
      NODE_ENV: 'production',
      FLOW_SECRET: 'short',
    });
    expect(output.split('\n')).toEqual([
      'The configuration is at fault:',
      expect.stringMatching(/^ {2}PORT: must be a whole number, 0 to 65535; it is "70000"$/),
      expect.stringMatching(/^ {2}HOST: must be .*; it is "not a host"$/),
      expect.stringMatching(/^ {2}LOG_LEVEL: must be trace \| .*; it is "loud"$/),
      expect.stringMatching(/^ {2}USE_REDIS_WEBSOCKETS: must be true, false, 1 or 0; it is "maybe"$/),
      expect.stringMatching(/^ {2}DOCUMENT_STORE: must be lmdb \| memory; it is "floppy"$/),
      expect.stringMatching(/^ {2}SAVE_INTERVAL_MS: must be a whole number, .*; it is "soon"$/),
      // A secret is never repeated.
      expect.stringMatching(/^ {2}FLOW_SECRET: must be at least 16 characters long$/),
      expect.stringMatching(/^ {2}AUTH_MODE: open lets everyone in; .*ALLOW_OPEN_AUTH=true/),
      expect.stringMatching(/^ {2}MAX_OPERATION_BYTES: must not be more than MAX_BATCH_BYTES/),
      expect.stringMatching(/^ {2}USE_REDIS_TELEPATHY: there is no such flag; there are USE_REDIS_/),
    ]);
    expect(code).toBe(78);
  });

  test('on the command line is refused: it would not be read', async () => {
    const { code, output } = await processes.run(SERVER, ['--port', '4000'], { env: HERE });
    expect(output).toBe(
      'The configuration is at fault:\n  --port 4000: there are no arguments; settings are environment variables, such as PORT=4000',
    );
    expect(code).toBe(78);
  });

  test('in a file .env counts like one in the environment', async () => {
    const directory = await processes.directory();
    await writeFile(join(directory, '.env'), 'PORT=everywhere\nLOG_LEVEL=info\n');
    const { code, output } = await processes.run(SERVER, [], { cwd: directory });
    expect(output).toBe(
      'The configuration is at fault:\n  PORT: must be a whole number, 0 to 65535; it is "everywhere"',
    );
    expect(code).toBe(78);
  });
});

describe('an address that cannot be had', () => {
  test('a port in use is named, with what to do, and the exit code is 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const { code, output } = await start({ PORT: String(port), DOCUMENT_DIR: await processes.directory() });
      expect(reasonIn(output)).toMatch(
        `Cannot listen on port ${port} of 127.0.0.1. Another program has it: stop that one, or set PORT.`,
      );
      expect(code).toBe(1);
      // Nothing of a start that failed at once is worth a line.
      expect(output.split('\n')).toHaveLength(1);
      const { output: details } = await start({ PORT: String(port), LOG_LEVEL: 'debug' });
      expect(details).toMatch(/"level":20,.*"stack":.*"msg":"starting failed"/);
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  test('so is a host that is not of this machine', async () => {
    // 192.0.2.0/24 is for documentation only.
    const { code, output } = await start({ HOST: '192.0.2.1', DOCUMENT_DIR: await processes.directory() });
    expect(reasonIn(output)).toMatch(
      'Cannot listen on port 0 of 192.0.2.1. This machine has no such address: set HOST.',
    );
    expect(code).toBe(1);
  });
});

describe('a document store that cannot be opened is named with the reason, and the exit code is 1', () => {
  /** The exit code, and what comes before and after the name of the store. */
  const refusalOf = ({ code, output }: Ended & { output: string }, path: string) => {
    const name = `The document store ${join(path, 'documents.mdb')} cannot be opened. `;
    const [remedy, reason] = (reasonIn(output) ?? output).replace('Flow Backend cannot start. ', '').split(name);
    return { code, remedy, reason: reason ?? output };
  };
  const refused = (reason: RegExp, remedy = /^$/): object => ({
    code: 1,
    remedy: expect.stringMatching(remedy),
    reason: expect.stringMatching(reason),
  });

  test('DOCUMENT_DIR is a file', async () => {
    const file = join(await processes.directory(), 'file');
    await writeFile(file, 'not a directory');
    expect(refusalOf(await start({ DOCUMENT_DIR: file }), file)).toEqual(
      refused(/^EEXIST: file already exists/, /^Set DOCUMENT_DIR to a directory: /),
    );
    expect(await readFile(file, 'utf8')).toBe('not a directory');
  });

  test('DOCUMENT_DIR is below a file', async () => {
    const file = join(await processes.directory(), 'file');
    await writeFile(file, 'not a directory');
    const below = join(file, 'data');
    expect(refusalOf(await start({ DOCUMENT_DIR: below }), below)).toEqual(
      refused(/^ENOTDIR: not a directory/, /^Set DOCUMENT_DIR to a directory: /),
    );
  });

  test('DOCUMENT_DIR is where nothing can be made', async () => {
    const nowhere = '/proc/flow/data';
    expect(refusalOf(await start({ DOCUMENT_DIR: nowhere }), nowhere)).toEqual(
      refused(/^ENOENT/, /^Set DOCUMENT_DIR to where a directory can be made/),
    );
  });

  test('DOCUMENT_DIR may not be written', async () => {
    const directory = join(await processes.directory(), 'read-only');
    await mkdir(directory);
    await chmod(directory, 0o555);
    const launched = await processes.launch(withoutPrivilege([process.execPath, SERVER]), {
      env: { ...HERE, DOCUMENT_DIR: directory },
    });
    const ended = await launched.ended;
    const output = launched.lines.join('\n');
    expect(refusalOf({ ...ended, output }, directory)).toEqual(
      refused(/^Permission denied/, /^Set DOCUMENT_DIR .* may write/),
    );
  });

  test.each<[string, (file: string) => Promise<void>, RegExp]>([
    ['holds something else', (file) => writeFile(file, 'Dear diary\n'.repeat(1_000)), /damaged, or no file of a store/],
    ['holds zeros', (file) => writeFile(file, Buffer.alloc(65_536)), /damaged, or no file of a store/],
    ['has lost its end', (file) => truncate(file, 3 * 4_096), /The file is cut short by \d+ bytes/],
    ['has lost its beginning', (file) => overwrite(file, 0, 8_192), /damaged, or no file of a store/],
  ])('the file %s', async (_, damage, reason) => {
    const documents = await processes.directory();
    await storeSomething(documents);
    const file = join(documents, 'documents.mdb');
    await damage(file);
    const damaged = await readFile(file);
    expect(refusalOf(await start({ DOCUMENT_DIR: documents }), documents)).toEqual(refused(reason));
    // Whoever wants to rescue something finds it as it was.
    expect(await readFile(file)).toEqual(damaged);
  });
});

test('a file that only lacks pages that were never written is no damaged one', async () => {
  const documents = await processes.directory();
  await storeSomething(documents);
  const file = join(documents, 'documents.mdb');
  // As LMDB leaves it when the last pages a transaction took were given back before its end.
  const claimed = await claimMorePages(file, 5);
  const server = await processes.startServer({ documents });
  expect((await ask(`${server.url}/health`, health)).body.status).toBe('ok');
  expect((await readFile(file)).length).toBeGreaterThanOrEqual(claimed);
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await storeSomething(documents);
});

/** Of LMDB's files on this kind of machine. */
const PAGE_BYTES = 4_096;
/** Where each of the first two pages has the number of the last page in use. */
const LAST_PAGE_AT = 144;

/** Answers the size the file should have now. */
async function claimMorePages(file: string, count: number): Promise<number> {
  const content = await readFile(file);
  const pages = content.length / PAGE_BYTES + count;
  for (const page of [0, PAGE_BYTES]) content.writeBigUInt64LE(BigInt(pages - 1), page + LAST_PAGE_AT);
  await writeFile(file, content);
  return pages * PAGE_BYTES;
}

/** Root may write everywhere; without these capabilities it is a user like others. */
function withoutPrivilege(command: readonly string[]): string[] {
  return process.getuid?.() === 0
    ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', ...command]
    : [...command];
}

async function storeSomething(documents: string): Promise<void> {
  const server = await processes.startServer({ documents });
  const client = new FlowClient({ url: server.url });
  const { sessionId } = await client.createSession({ format: 'json' });
  const session = client.session(sessionId);
  await session.join();
  await session.submit(['something']).whenSaved();
  client.close();
  await server.end('SIGTERM');
}

async function overwrite(file: string, from: number, length: number): Promise<void> {
  const content = await readFile(file);
  content.fill(0x2a, from, from + length);
  await writeFile(file, content);
}
