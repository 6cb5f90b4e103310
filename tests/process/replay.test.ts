import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { childrenOf, Processes, REPLAY } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const replay = (...args: string[]) => processes.run(REPLAY, args);

async function traceFile(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await processes.directory(), name);
  await writeFile(path, content);
  return path;
}

const zipped = (trace: object): Buffer => gzipSync(JSON.stringify(trace));

describe('npm run replay', () => {
  test('[EO1] [DL1] a history of two people who write at the same time ends equal for both, a reader and the server', async () => {
    const { code, output } = await replay('--seed', '7', '--edits', '6000');
    expect(output).toContain('a made-up history (seed 7): 6000 edits of 2 author(s)');
    expect(output).toMatch(/\d+ edits\/s/);
    expect(output).toMatch(/edit to other client +p50 [\d.]+ ms +p99 [\d.]+ ms/);
    expect(output).toMatch(/edit to saved +p50 [\d.]+ ms +p99 [\d.]+ ms/);
    expect(output).toContain('equal: 3 clients and the server hold the same text');
    expect(code).toBe(0);
  });

  test('with --speed it keeps to the speed', async () => {
    const startedAt = performance.now();
    const { code, output } = await replay('--edits', '60', '--speed', '40');
    expect(output).toContain('equal: 3 clients');
    expect(code).toBe(0);
    // One of the two authors has made at least 30 of the 60 edits.
    expect(performance.now() - startedAt).toBeGreaterThan((29 / 40) * 1_000);
  });

  test('a sequential trace begins with its start content and counts in code points', async () => {
    const trace = {
      startContent: 'a𝄞b',
      endContent: 'a𝄞🙂c!',
      txns: [
        { time: '', patches: [[2, 0, '🙂']] },
        { time: '', patches: [] },
        {
          time: '',
          patches: [
            [4, 0, '!'],
            [3, 1, 'c'],
          ],
        },
      ],
    };
    const { code, output } = await replay(await traceFile('sequential.json.gz', zipped(trace)));
    expect(output).toContain('3 edits of 1 author(s)');
    expect(output).toContain('equal: 2 clients and the server');
    expect(code).toBe(0);
  });

  test("in a concurrent trace an author counts the others' astral characters, and only those the parents had", async () => {
    const trace = {
      kind: 'concurrent',
      numAgents: 2,
      endContent: '🙂🙃xyz',
      txns: [
        { parents: [], agent: 0, patches: [[0, 0, '🙂x']] },
        { parents: [0], agent: 1, patches: [[1, 0, '🙃']] },
        // Made without knowing of the second smile.
        { parents: [0], agent: 0, patches: [[2, 0, 'z']] },
        { parents: [1, 2], agent: 1, patches: [] },
        { parents: [3], agent: 1, patches: [[3, 0, 'y']] },
      ],
    };
    const { code, output } = await replay(await traceFile('concurrent.json', JSON.stringify(trace)));
    expect(output).toContain('4 edits of 2 author(s)');
    expect(output).toContain('equal: 3 clients and the server');
    expect(code).toBe(0);
  });

  test('a text that ends otherwise than the trace says is shown, and the exit code is 1', async () => {
    const trace = { startContent: '', endContent: 'Hello world', txns: [{ patches: [[0, 0, 'Hello wörld']] }] };
    const { code, output } = await replay(await traceFile('other.json.gz', zipped(trace)));
    expect(output).toContain('WRONG: the text of author 0 differs from character 7 of 11 on: "örld" instead of "orld"');
    expect(output).toContain('WRONG: the text of the server differs');
    expect(output).toContain('the replay is not equal');
    expect(code).toBe(1);
  });
});

describe('npm run replay with nothing to replay says why and ends with 2', () => {
  test.each([
    [['--speed', 'fast'], '--speed must be max or a positive number, it is "fast".'],
    [['--speed=-1'], '--speed must be max or a positive number, it is "-1".'],
    [['--seed', '1.5'], '--seed must be a whole number from 1 to 4294967295, it is "1.5".'],
    [['--edits', '0'], '--edits must be a whole number from 1 to 10000000, it is "0".'],
    [['--url', 'localhost:3001'], '--url must be an http or https address, it is "localhost:3001".'],
    [['--quickly'], "Unknown option '--quickly'"],
    [['one.json.gz', 'two.json.gz'], 'There is one trace to a replay.'],
  ])('%j', async (args, message) => {
    const { code, output } = await replay(...args);
    expect(output).toContain(message);
    expect(output).toContain('npm run replay -- [trace.json.gz]');
    expect(output).not.toContain('    at ');
    expect(code).toBe(2);
  });

  const sequential = { startContent: '', endContent: '', txns: [] };
  const concurrent = { kind: 'concurrent', endContent: '', numAgents: 1, txns: [] };
  test.each<[string, string | Uint8Array, string]>([
    ['broken zip', Buffer.from([0x1f, 0x8b, 1, 2, 3]), 'the file cannot be read'],
    ['no JSON', '{ "txns": [', 'this is no JSON'],
    ['another JSON', '[1, 2, 3]', 'this is no editing trace'],
    ['no end', zipped({ ...sequential, endContent: undefined }), 'this is no editing trace: endContent: '],
    [
      'a patch of text',
      zipped({ ...sequential, txns: [{ patches: ['a'] }] }),
      'this is no editing trace: txns.0.patches.0',
    ],
    ['no agents', zipped({ ...concurrent, numAgents: 0 }), 'this is no editing trace: numAgents: '],
    [
      'an agent too many',
      zipped({ ...concurrent, txns: [{ parents: [], agent: 1, patches: [] }] }),
      'Transaction 0 is of agent 1; there are 1.',
    ],
    [
      'a parent to come',
      zipped({ ...concurrent, txns: [{ parents: [1], agent: 0, patches: [] }] }),
      'Transaction 0 has a parent 1 that does not come before it.',
    ],
    [
      'an author beside itself',
      zipped({
        ...concurrent,
        txns: [
          { parents: [], agent: 0, patches: [[0, 0, 'a']] },
          { parents: [], agent: 0, patches: [[0, 0, 'b']] },
        ],
      }),
      "Transaction 1 of agent 0 was not made after the agent's own last one.",
    ],
    [
      'a patch beyond the end',
      zipped({ ...sequential, txns: [{ patches: [[0, 0, 'ab']] }, { patches: [[2, 1, '']] }] }),
      'An edit reaches to character 3 of a text that ends before it.',
    ],
  ])('%s', async (name, content, message) => {
    const path = await traceFile(`${name}.json.gz`, content);
    const { code, output } = await replay(path);
    expect(output).toContain(message);
    expect(output).not.toContain('    at ');
    expect(code).toBe(2);
  });

  test('a server that is not there, in seconds', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const url = `http://127.0.0.1:${port}`;
    const startedAt = performance.now();
    const { code, output } = await replay('--url', url, '--edits', '10');
    expect(output).toContain(`No server can be reached at ${url}: `);
    expect(output).toContain('ECONNREFUSED');
    expect(output).not.toContain('    at ');
    expect(code).toBe(2);
    // Far less than the clients would try.
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  test('a file that is not there', async () => {
    const { code, output } = await replay('no-such-trace.json.gz');
    expect(output).toMatch(/^no-such-trace\.json\.gz: the file cannot be read: ENOENT/);
    expect(code).toBe(2);
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'npm run replay that is ended with %s ends its server and leaves nothing behind',
  async (signal) => {
    const temporary = await processes.directory();
    const command = [process.execPath, REPLAY, '--edits', '40000', '--seed', '3'];
    const replaying = await processes.launch(command, { env: { TMPDIR: temporary } });
    await replaying.line(/edits saved/);
    const [server] = await childrenOf(replaying.pid);
    expect(server).toBeDefined();
    expect(await readdir(temporary)).toHaveLength(1);

    const { code } = await replaying.end(signal);
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(() => process.kill(server ?? 0, 0)).toThrow('ESRCH');
    expect(await readdir(temporary)).toEqual([]);
  },
);
