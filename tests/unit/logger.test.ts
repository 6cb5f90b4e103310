import { createLogger } from '../../src/lib/logger';
import { FlowError } from '../../src/protocol/errors';

function recorded(level = 'info') {
  const lines: Array<Record<string, unknown>> = [];
  const log = createLogger({ level, instanceId: 'one' }, { write: (line) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

test('a line carries the instance, the component and its fields', () => {
  const { log, lines } = recorded();
  log.child({ component: 'saver' }).info({ sessions: 3 }, 'saved');
  expect(lines).toEqual([
    expect.objectContaining({ instanceId: 'one', component: 'saver', sessions: 3, msg: 'saved' }),
  ]);
});

test('tokens, passwords, signatures and payloads never reach a line', () => {
  const { log, lines } = recorded();
  const secret = 'hunter2';
  log.info(
    {
      token: secret,
      password: secret,
      auth: { token: secret, signature: secret },
      request: { headers: { authorization: secret, cookie: secret } },
      entry: { operations: secret, payload: { text: secret } },
    },
    'received',
  );
  expect(JSON.stringify(lines)).not.toContain(secret);
  expect(JSON.stringify(lines)).toContain('[redacted]');
});

test('a count of operations is no secret', () => {
  const { log, lines } = recorded();
  log.info({ operations: 12 }, 'flushed');
  expect(lines).toEqual([expect.objectContaining({ operations: 12 })]);
});

test('what is below the level is not written', () => {
  const { log, lines } = recorded('warn');
  log.info('quiet');
  log.warn('loud');
  expect(lines).toEqual([expect.objectContaining({ msg: 'loud' })]);
});

test('a fault is told with what is at the bottom of it, as sentences', () => {
  const { log, lines } = recorded();
  const fault = new Error('The store cannot be opened.', { cause: new Error('ENOENT: no such file') });
  log.error({ err: fault }, 'starting failed');
  expect(lines).toEqual([
    expect.objectContaining({
      err: expect.objectContaining({
        type: 'Error',
        message: 'The store cannot be opened. ENOENT: no such file',
        stack: expect.stringContaining('logger.test'),
      }),
    }),
  ]);
});

test('an everyday refusal is told in a few words: no stack, and nothing of what was sent', () => {
  const { log, lines } = recorded();
  const cause = new SyntaxError(`Unexpected token 'h', "{"password":hunter2" is not valid JSON`);
  log.info({ err: new FlowError('BAD_REQUEST', 'The body is not valid JSON.', {}, { cause }) }, 'request refused');
  expect(lines[0]?.['err']).toEqual({
    type: 'FlowError',
    code: 'BAD_REQUEST',
    message: 'The body is not valid JSON.',
    cause: 'SyntaxError',
  });
  // What an operator has to do something about is told as a whole.
  log.warn({ err: new FlowError('STORE_UNAVAILABLE', 'No.', {}, { cause: new Error('ENOSPC') }) }, 'not saved');
  expect(lines[1]?.['err']).toMatchObject({ message: 'No. ENOSPC', stack: expect.stringContaining('logger.test') });
});
