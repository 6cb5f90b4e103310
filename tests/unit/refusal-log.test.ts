import { createLogger } from '../../src/lib/logger';
import { FlowError, type ErrorCode } from '../../src/protocol/errors';
import { RefusalLog } from '../../src/lib/refusal-log';
import { ManualClock } from '../support/manual-clock';

interface Line {
  readonly msg: string;
  readonly err?: { readonly code: string };
  readonly code?: string;
  readonly count?: number;
}

let clock: ManualClock;
let lines: Line[];
let refusals: RefusalLog;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
  refusals = new RefusalLog({ log: createLogger({ level: 'debug', instanceId: 'i' }, { write }), clock });
});

const refuse = (code: ErrorCode, times: number): void => {
  for (let time = 0; time < times; time += 1) refusals.add(new FlowError(code), 'operation:submit');
};
const told = () => lines.map(({ msg, err, code, count }) => [msg, err?.code ?? code, count]);

test('the first few of a code are told one by one, the others as a number', () => {
  refuse('TOO_LARGE', 1_000);
  refuse('STALE_BASE', 1);
  const each = [
    ...Array.from({ length: 3 }, () => ['request refused', 'TOO_LARGE', undefined]),
    ['request refused', 'STALE_BASE', undefined],
  ];
  expect(told()).toEqual(each);
  clock.advance(10_000);
  expect(told()).toEqual([...each, ['more requests refused', 'TOO_LARGE', 997]]);
});

test('then the next few are told again', () => {
  refuse('TOO_LARGE', 4);
  clock.advance(10_000);
  lines.length = 0;
  refuse('TOO_LARGE', 1);
  expect(told()).toEqual([['request refused', 'TOO_LARGE', undefined]]);
});

test('a fault of ours is always told: the client has an id under which it is to be found', () => {
  for (let fault = 0; fault < 10; fault += 1) {
    refusals.add(new FlowError('INTERNAL', undefined, { errorId: String(fault) }), 'session:join');
  }
  expect(lines).toHaveLength(10);
});

test('what was counted is told at the end, and no timer stays', () => {
  refuse('BUSY', 5);
  refusals.end();
  expect(told().at(-1)).toEqual(['more requests refused', 'BUSY', 2]);
  expect(clock.pendingTimers).toBe(0);
});
