import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlowClient } from '../../src/client/flow-client';
import { brokenServer, Processes, SERVER, type Variables } from '../support/server-process';
import { ensureStrace, parseTrace, traced, type SystemCall } from '../support/server-process-trace';

const processes = new Processes();
afterEach(() => processes.clean());

// Where strace has to be installed first, that takes a download.
beforeAll(ensureStrace, 120_000);

/** Nothing else in the server's writes looks like it. */
const OPERATION = 'the-operation-that-is-followed-to-the-disk';

/** One operation, from the editor that writes it to its `saved`, as the kernel sees the server. */
async function traceOneOperation(
  env: Variables = {},
  command: readonly string[] = [process.execPath, SERVER],
): Promise<SystemCall[]> {
  const documents = await processes.directory();
  const output = join(await processes.directory(), 'trace');
  const server = await processes.startServer({
    documents,
    env,
    command: traced(command, output),
  });
  const client = new FlowClient({ url: server.url, token: 'ada' });
  const { sessionId } = await client.createSession({ format: 'json' });
  const session = client.session(sessionId);
  await session.join();
  await session.submit([OPERATION]).whenSaved();
  client.close();
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  return parseTrace(await readFile(output, 'utf8'));
}

const isOf = (call: SystemCall, ...names: string[]): boolean => names.includes(call.name) && call.result >= 0;
const isWrite = (call: SystemCall): boolean =>
  isOf(call, 'write', 'writev', 'pwrite64', 'pwritev', 'sendto', 'sendmsg');
const isOnStore = ({ text }: SystemCall): boolean => /^\d+<[^>]*documents\.mdb>/.test(text);
/** A frame that says that the first operation of the session is saved. */
const isAnnouncement = (call: SystemCall): boolean =>
  isWrite(call) && call.text.includes('<socket:') && call.text.includes(String.raw`\"saved\":1,`);

/** The descriptor of the store that is synced with every write, if there is one: for the page that makes a commit visible. */
const syncDescriptorOf = (calls: readonly SystemCall[]): number | undefined =>
  calls.find((call) => isOf(call, 'openat') && call.text.includes('documents.mdb') && call.text.includes('O_DSYNC'))
    ?.result;

/** Something is said from when one begins to say it, and done when it is finished. */
const momentOf = ({ step, call }: { step: Step; call: SystemCall }): number =>
  step === 'announced' ? call.began : call.finished;

type Step = 'written' | 'synced' | 'committed' | 'announced';

/** What became of the operation, in the order in which each step began only after the one before was finished. */
function stepsOf(calls: readonly SystemCall[]): Step[] {
  const after = (before: SystemCall | undefined, isIt: (call: SystemCall) => boolean): SystemCall | undefined =>
    before && calls.find((call) => call.began > before.finished && isIt(call));
  const written = calls.find((call) => isWrite(call) && isOnStore(call) && call.text.includes(OPERATION));
  const synced = after(written, (call) => isOf(call, 'fsync', 'fdatasync', 'msync') && isOnStore(call));
  const descriptor = syncDescriptorOf(calls);
  const committed = after(synced, (call) => isWrite(call) && call.text.startsWith(`${descriptor}<`));
  const found: Array<[Step, SystemCall | undefined]> = [
    ['written', written],
    ['synced', synced],
    ['committed', committed],
    ['announced', calls.find(isAnnouncement)],
  ];
  return found
    .flatMap(([step, call]) => (call ? [{ step, call }] : []))
    .sort((one, other) => momentOf(one) - momentOf(other))
    .map(({ step }) => step);
}

test('[ST3] `saved` is announced when the operation, and then the page that points to it, are synced to disk', async () => {
  expect(stepsOf(await traceOneOperation())).toEqual(['written', 'synced', 'committed', 'announced']);
});

test('[ST3] DOCUMENT_DURABILITY=buffered leaves the syncing of that page to the system', async () => {
  const calls = await traceOneOperation({ DOCUMENT_DURABILITY: 'buffered' });
  expect(stepsOf(calls)).toEqual(['written', 'synced', 'announced']);
});

test('[ST3] negative control: of a server that announces `saved` before the commit, the trace shows it', async () => {
  const calls = await traceOneOperation({}, brokenServer('saved-before-the-commit'));
  expect(stepsOf(calls)).toEqual(['announced', 'written', 'synced', 'committed']);
});
