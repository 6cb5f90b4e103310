import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { environment } from '../../config/environment';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'flow-env-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a .env file adds what the environment does not have', () => {
  const file = path.join(directory, '.env');
  writeFileSync(file, 'PORT=4000\nHOST="flow.example" # ours\n');
  expect(environment({ PORT: '5000' }, file)).toEqual({ PORT: '5000', HOST: 'flow.example' });
});

test('without a .env file the environment is all there is', () => {
  expect(environment({ PORT: '5000' }, path.join(directory, '.env'))).toEqual({ PORT: '5000' });
});
