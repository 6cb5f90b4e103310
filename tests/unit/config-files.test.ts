import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'dotenv';
import { loadConfig } from '../../config/load-config';
import { settingNames, variableOf } from '../../config/schema';
import { stopDeadlineMs } from '../../config/stop-deadline.json';
import { defaultOf } from '../../scripts/tables';

const ROOT = path.join(__dirname, '../..');
const written = parse(readFileSync(path.join(ROOT, '.env.development')));

describe('.env.development', () => {
  test.each(settingNames.map((name) => [variableOf(name), defaultOf(name)]))(
    'has the line %s=%s',
    (variable, value) => {
      expect(written).toHaveProperty(variable, value);
    },
  );

  test('has no variable that is not read', () => {
    const known = new Set(settingNames.map(variableOf));
    expect(Object.keys(written).filter((variable) => !known.has(variable))).toEqual([]);
  });

  test('copied as it is, changes nothing', () => {
    const { instanceId: ofFile, ...copied } = loadConfig(written);
    const { instanceId: ofDefaults, ...defaults } = loadConfig({});
    expect(copied).toEqual(defaults);
    expect(ofFile).not.toBe(ofDefaults);
  });
});

describe('pm2', () => {
  interface Ecosystem {
    apps: Array<Record<string, unknown>>;
  }

  test('gives an orderly stop its whole deadline before it kills', () => {
    const [app] = (jest.requireActual('../../ecosystem.config.js') as Ecosystem).apps;
    expect(app).toMatchObject({ name: 'backend', script: 'dist/src/main.js', wait_ready: true, stop_exit_codes: [78] });
    expect(app?.kill_timeout).toBeGreaterThan(stopDeadlineMs);
    expect(loadConfig({}).stopDeadlineMs).toBe(stopDeadlineMs);
  });
});
