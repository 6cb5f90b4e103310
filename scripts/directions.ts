// Who may import whom: the rules that hold the house up, as a table.

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Import, importsOf } from './imports';

type Layer =
  | 'protocol'
  | 'lib'
  | 'telemetry'
  | 'port'
  | 'access'
  | 'backend'
  | 'redis'
  | 'live'
  | 'edge'
  | 'client'
  | 'web'
  | 'tools'
  | 'config'
  | 'container'
  | 'app'
  | 'doctor'
  | 'entry';

interface Place {
  /** Relative to the root, with slashes. */
  readonly file: string;
  readonly folder: string;
  /** The folder under src/: one concept, or one edge. */
  readonly room: string;
  readonly layer: Layer;
}

/** What any part of the server may use. */
const SHARED: readonly Layer[] = ['protocol', 'lib', 'telemetry'];

/** What each layer may import of the others. */
const ALLOWED: Readonly<Record<Layer, readonly Layer[]>> = {
  protocol: [],
  lib: ['protocol'],
  telemetry: ['protocol', 'lib'],
  port: ['protocol', 'lib'],
  // Who somebody is and what they may do is decided over devices, sessions and their records: it knows the ports of all of them.
  access: [...SHARED, 'port'],
  backend: [...SHARED, 'port', 'access', 'redis'],
  // All connections to Redis are made in one place.
  redis: [...SHARED, 'config'],
  live: [...SHARED, 'port', 'access'],
  edge: [...SHARED, 'port', 'access', 'live'],
  client: ['protocol'],
  web: ['protocol', 'client'],
  tools: [...SHARED, 'client', 'app', 'config'],
  // Names of services, which the settings, /health and the log share.
  config: ['protocol'],
  container: [...SHARED, 'config', 'port', 'access', 'backend', 'redis', 'live', 'edge', 'app'],
  app: [...SHARED, 'config', 'port', 'access', 'live', 'edge', 'container'],
  // It looks at backends from outside, without the server.
  doctor: [...SHARED, 'config', 'port', 'backend', 'redis', 'live'],
  entry: [...SHARED, 'config', 'redis', 'app', 'doctor'],
};

/** Layers whose files know each other only within one room: a port stands alone, and so does an edge. */
const SEPARATE: readonly Layer[] = ['port', 'edge'];

const BACKEND_FILE = /^(?:memory|redis|lmdb|postgres|piscina)-/;

/** Files that exist to pass on what others define. */
const PUBLIC_ENTRIES = ['src/client/index.ts', 'src/index.ts'];

/** Every breach under `root`, as lines that begin with file and line. */
export function checkDirections(root: string): string[] {
  const files = ['config', 'src'].flatMap((folder) => sourcesUnder(root, folder));
  return files.flatMap((file) =>
    importsOf(path.join(root, file)).flatMap((found) => faultsOf(root, placeOf(file), found)),
  );
}

function faultsOf(root: string, from: Place, { specifier, isTypeOnly, isReExport, line }: Import): string[] {
  const faults: string[] = [];
  if (isReExport && !PUBLIC_ENTRIES.includes(from.file)) faults.push(`passes on ${specifier}: import it where it is`);
  if ((from.layer === 'client' || from.layer === 'web') && specifier.startsWith('node:'))
    faults.push(`imports ${specifier}: it runs in browsers`);
  const target = specifier.startsWith('.') ? resolve(root, from.folder, specifier) : null;
  const fault = target && breach(from, placeOf(target), isTypeOnly);
  if (fault) faults.push(`imports ${target}: ${fault}`);
  return faults.map((text) => `${from.file}:${line}: ${text}`);
}

function breach(from: Place, to: Place, isTypeOnly: boolean): string | null {
  if (from.layer === to.layer) {
    return isNeighbour(from, to) ? null : `${from.layer} must not import a ${to.layer} of another folder`;
  }
  if (!ALLOWED[from.layer].includes(to.layer)) return `${from.layer} must not import ${to.layer}`;
  if ((from.layer === 'client' || from.layer === 'web') && to.file === 'src/protocol/schemas.ts' && !isTypeOnly) {
    return 'browsers take only types from the schemas, so that zod stays out of their bundles';
  }
  if (from.layer === 'backend' && isPort(to) && from.room !== to.room && !isTypeOnly) {
    return "a backend takes only types from another concept's port";
  }
  return null;
}

/** Ports of access/ stand beside what decides with them. */
const isPort = ({ layer }: Place): boolean => layer === 'port' || layer === 'access';

/** Whether files of one layer may know each other: backends of one engine, ports of one concept, files of one edge. */
function isNeighbour(from: Place, to: Place): boolean {
  if (from.layer === 'backend') return from.folder === to.folder;
  return from.room === to.room || !SEPARATE.includes(from.layer);
}

function placeOf(file: string): Place {
  const folder = path.posix.dirname(file);
  return { file, folder, room: file.split('/')[1] ?? '', layer: layerOf(file, folder) };
}

function layerOf(file: string, folder: string): Layer {
  if (file.startsWith('config/')) return 'config';
  if (file === 'src/main.ts' || file === 'src/doctor.ts') return 'entry';
  // It names implementations too, for those who bring their own choice.
  if (file === 'src/index.ts') return 'container';
  if (folder === 'src') return 'app';
  const room = file.split('/')[1];
  switch (room) {
    case 'protocol':
    case 'lib':
    case 'telemetry':
    case 'redis':
    case 'live':
    case 'client':
    case 'web':
    case 'tools':
    case 'doctor':
    case 'container':
      return room;
    case 'http':
    case 'socket':
      return 'edge';
    default: {
      const isEngine = folder.startsWith('src/storage/');
      if (isEngine || BACKEND_FILE.test(path.posix.basename(file))) return 'backend';
      return room === 'access' ? 'access' : 'port';
    }
  }
}

/** The source a relative import means; null where it is none (JSON, say). */
function resolve(root: string, folder: string, specifier: string): string | null {
  const target = path.posix.join(folder, specifier);
  const candidates = [`${target}.ts`, `${target}/index.ts`, target.replace(/\.js$/, '.ts')];
  return candidates.find((file) => file.endsWith('.ts') && existsSync(path.join(root, file))) ?? null;
}

function sourcesUnder(root: string, folder: string): string[] {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .sort();
}
