import { parseArgs } from 'node:util';
import { environment } from '../config/environment';
import { ConfigError, loadConfig, type Config } from '../config/load-config';
import { checkAll, exportsOf } from './doctor/checks';
import { fail, ok, type Finding } from './doctor/finding';
import { OlderStoreDecisions } from './doctor/older-store';
import { explain } from './lib/system-faults';

const USAGE = `npm run doctor                                  looks at settings, Redis and store; changes nothing
npm run doctor -- --accept-store <session>      goes on from a store that is older than what was saved (repeatable)
npm run doctor -- --accept-all                  the same for every session that is refused for it
npm run doctor -- --replay-export <file>        puts the operations of an exported hot log back
`;
const STATUS_WIDTH = 6;
const WHAT_WIDTH = 20;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const tell = ({ status, what, message }: Finding): void =>
  say(`${status.padEnd(STATUS_WIDTH)}${what.padEnd(WHAT_WIDTH)}${message}`);

async function look(config: Config): Promise<boolean> {
  let isWell = true;
  for await (const finding of checkAll(config)) {
    tell(finding);
    if (finding.status === 'FAIL') isWell = false;
  }
  return isWell;
}

interface Wishes {
  readonly 'accept-store'?: string[];
  readonly 'accept-all'?: boolean;
  readonly 'replay-export'?: string[];
}

async function decide(config: Config, wishes: Wishes): Promise<void> {
  const decisions = new OlderStoreDecisions(config, exportsOf(config));
  try {
    await decisions.start();
    for (const sessionId of wishes['accept-store'] ?? []) say(await decisions.accept(sessionId));
    if (wishes['accept-all']) for (const line of await decisions.acceptAll()) say(line);
    for (const file of wishes['replay-export'] ?? []) say(await decisions.replay(file));
  } finally {
    await decisions.stop();
  }
}

async function run(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      'accept-store': { type: 'string', multiple: true },
      'accept-all': { type: 'boolean' },
      'replay-export': { type: 'string', multiple: true },
    },
  });
  if (values.help) {
    say(USAGE);
    return true;
  }
  let config: Config;
  try {
    config = loadConfig(environment());
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault;
    for (const message of fault.faults) tell(fail('settings', message));
    return false;
  }
  const { help: _help, ...wishes } = values;
  if (Object.keys(wishes).length > 0) {
    await decide(config, wishes);
    return true;
  }
  tell(ok('settings', 'every variable that is set can be read'));
  return look(config);
}

run().then(
  (isWell) => {
    process.exitCode = isWell ? 0 : 1;
  },
  (fault: unknown) => {
    process.stderr.write(`${explain(fault)}\n`);
    process.exitCode = 1;
  },
);
