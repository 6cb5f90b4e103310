import { Outage } from '../../src/lib/outage';
import { logLines } from '../support/log-lines';

test('an outage is told once when it begins and once, with its failures, when it ends', () => {
  const { lines, log } = logLines();
  const outage = new Outage(log, { began: 'away', ended: 'back' });
  outage.worked();
  for (let attempt = 0; attempt < 3; attempt += 1) outage.failed(new Error('refused'));
  outage.worked();
  outage.worked();
  outage.failed(new Error('refused'));
  expect(lines.map(({ msg }) => msg)).toEqual(['away', 'back', 'away']);
  expect(lines[1]).toMatchObject({ failures: 3 });
});
