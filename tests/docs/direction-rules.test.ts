import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkDirections } from '../../scripts/directions';

const ROOT = path.join(__dirname, '../..');

/** Files that are there to be imported. */
const HOUSE = [
  'config/load-config.ts',
  'src/access/client-identity.ts',
  'src/app.ts',
  'src/client/client.ts',
  'src/container/index.ts',
  'src/http/server.ts',
  'src/lib/clock.ts',
  'src/live/tail.ts',
  'src/main.ts',
  'src/ordering/event-ordering.ts',
  'src/ordering/memory-event-ordering.ts',
  'src/protocol/errors.ts',
  'src/protocol/schemas.ts',
  'src/sessions/participants.ts',
  'src/storage/lmdb/lmdb-document-store.ts',
  'src/storage/operation-log.ts',
  'src/storage/piscina-document-folder.ts',
];

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'flow-directions-'));
  for (const file of HOUSE) write(file, '');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, source: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), source);
}

function breachesOf(file: string, source: string): string[] {
  write(file, source);
  return checkDirections(root);
}

test('the server keeps the rules', () => {
  expect(checkDirections(ROOT)).toEqual([]);
});

test.each([
  ['a port takes from live/', 'src/ordering/port.ts', "import { x } from '../live/tail';"],
  ['a port takes from another port', 'src/ordering/port.ts', "import type { X } from '../sessions/participants';"],
  ['a port takes its own backend', 'src/ordering/port.ts', "import { x } from './memory-event-ordering';"],
  ['protocol/ takes from lib/', 'src/protocol/frame.ts', "import { x } from '../lib/clock';"],
  ['lib/ takes from a port', 'src/lib/frame.ts', "import { x } from '../ordering/event-ordering';"],
  ['a backend takes from live/', 'src/ordering/memory-x.ts', "import { x } from '../live/tail';"],
  [
    'a backend takes another backend',
    'src/ordering/memory-x.ts',
    "import { x } from '../storage/lmdb/lmdb-document-store';",
  ],
  [
    'a backend takes values of another port',
    'src/ordering/memory-x.ts',
    "import { x } from '../storage/operation-log';",
  ],
  ['an engine takes another engine', 'src/storage/memory/x.ts', "import { x } from '../lmdb/lmdb-document-store';"],
  ['a port takes from access/', 'src/ordering/port.ts', "import type { X } from '../access/client-identity';"],
  ['access/ takes a backend', 'src/access/x.ts', "import type { X } from '../ordering/memory-event-ordering';"],
  ['live/ takes a backend', 'src/live/x.ts', "import { x } from '../storage/piscina-document-folder';"],
  ['live/ takes a backend as a type', 'src/live/x.ts', "import type { X } from '../ordering/memory-event-ordering';"],
  ['live/ takes an edge', 'src/live/x.ts', "import { x } from '../http/server';"],
  ['live/ takes the configuration', 'src/live/x.ts', "import type { X } from '../../config/load-config';"],
  [
    'an edge takes a backend later',
    'src/http/x.ts',
    "export const x = () => import('../storage/lmdb/lmdb-document-store');",
  ],
  ['an edge takes the other edge', 'src/socket/x.ts', "import { x } from '../http/server';"],
  ['the app takes a backend', 'src/app.ts', "import { x } from './ordering/memory-event-ordering';"],
  ['the app takes main', 'src/app.ts', "import { x } from './main';"],
  ['main takes the container', 'src/main.ts', "import { x } from './container';"],
  ['an edge takes the container', 'src/http/x.ts', "import type { X } from '../container';"],
  ['the client takes from lib/', 'src/client/x.ts', "import { x } from '../lib/clock';"],
  ['the client takes values of the schemas', 'src/client/x.ts', "import { x, type Y } from '../protocol/schemas';"],
  ['the client takes a module of Node', 'src/client/x.ts', "import { x } from 'node:fs';"],
  ['the server takes the client', 'src/http/x.ts', "import { x } from '../client/client';"],
  ['a tool takes a backend', 'src/tools/x.ts', "const x = require('../ordering/memory-event-ordering');"],
  ['config/ takes from the server', 'config/x.ts', "import { x } from '../src/lib/clock';"],
  ['a type is taken in passing', 'src/ordering/port.ts', "export type X = import('../live/tail').Tail;"],
  ['a file passes on what is elsewhere', 'src/live/x.ts', "export { x } from '../lib/clock';"],
  ['a file passes on everything', 'src/live/index.ts', "export * from './tail';"],
])('it is noticed when %s', (_what, file, source) => {
  expect(breachesOf(file, source)).toEqual([expect.stringContaining(`${file}:1: `)]);
});

test.each([
  ['a port takes protocol/ and lib/', 'src/ordering/port.ts', "import '../protocol/errors'; import '../lib/clock';"],
  ['a backend takes its port', 'src/ordering/memory-x.ts', "import { x } from './event-ordering';"],
  [
    'a backend takes types of another port',
    'src/ordering/memory-x.ts',
    "import type { X } from '../storage/operation-log';",
  ],
  ['an engine takes its ports', 'src/storage/lmdb/x.ts', "import { x } from '../operation-log';"],
  ['access/ takes ports', 'src/access/x.ts', "import { x } from '../storage/operation-log';"],
  ['live/ takes ports', 'src/live/x.ts', "import { x } from '../ordering/event-ordering';"],
  ['an edge takes live/ and ports', 'src/http/x.ts', "import '../live/tail'; import '../sessions/participants';"],
  ['the container takes backends', 'src/container/x.ts', "import { x } from '../storage/lmdb/lmdb-document-store';"],
  ['the app takes the container', 'src/app.ts', "import { x } from './container';"],
  ['the package gives backends', 'src/index.ts', "export { x } from './storage/lmdb/lmdb-document-store';"],
  ['the client takes types of the schemas', 'src/client/x.ts', "import { type X } from '../protocol/schemas';"],
  ['main takes the app', 'src/main.ts', "import { x } from './app'; import { y } from '../config/load-config';"],
  ['the client has a public entry', 'src/client/index.ts', "export { x } from './client';"],
])('it is fine when %s', (_what, file, source) => {
  expect(breachesOf(file, source)).toEqual([]);
});
