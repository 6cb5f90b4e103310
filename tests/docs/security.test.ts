import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingNames, variableOf } from '../../config/schema';

const ROOT = join(__dirname, '../..');
const text = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');

test('whatever SECURITY.md refers to is there', () => {
  const files = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, file = '']) => file);
  expect(files.length).toBeGreaterThan(15);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('every variable in SECURITY.md is one', () => {
  const variables = new Set(settingNames.map(variableOf));
  const named = [...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !variables.has(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(5);
});
