import { Processes, REPLAY } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

test('[EO1] [DL1] npm run replay of 260,000 edits, as many as a long document has, ends equal', async () => {
  const { code, output } = await processes.run(REPLAY, ['--edits', '260000']);
  expect(output).toContain('260000 edits of 2 author(s)');
  expect(output).toContain('equal: 3 clients and the server hold the same text');
  expect(code).toBe(0);
});
