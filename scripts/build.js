// Builds dist/: the server, its tools, the client library and the pages. With --if-stale only when a source has changed since.
// Everything is built beside dist/ and then put in its place, so that a failed build leaves a working one alone.

const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const DIST = path.join(ROOT, 'dist');
const TSC = path.join(ROOT, 'node_modules/typescript/bin/tsc');
/** What dist/ was built from, as a hash, kept inside it. */
const STAMP = '.built-from';
const INPUTS = [
  'config',
  'src',
  'package.json',
  'tsconfig.json',
  'package-lock.json',
  'scripts/build.js',
  'scripts/build-client.js',
  'scripts/build-web.js',
];
/** In this order: all emit the shared files they import, and the client's declarations must be the ones made without Node's types. */
const PROJECTS = ['src/tools', '.', 'src/client'];

/** Builds if needed; answers whether it did. Throws when the build fails. */
function buildIfStale() {
  const hash = hashInputs();
  const stamp = path.join(DIST, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  build(hash);
  return true;
}

/** @param {string} hash of the inputs */
function build(hash) {
  const staging = `${DIST}.${process.pid}`;
  try {
    for (const project of PROJECTS) run(TSC, ['-p', project, '--noEmit', 'false', '--outDir', staging]);
    run(path.join(__dirname, 'build-client.js'), [path.join(staging, 'client')]);
    run(path.join(__dirname, 'build-web.js'), [path.join(staging, 'web')]);
    writeFileSync(path.join(staging, STAMP), hash);
    replaceDist(staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** @param {string} staging */
function replaceDist(staging) {
  const old = `${staging}.old`;
  try {
    if (existsSync(DIST)) renameSync(DIST, old);
    renameSync(staging, DIST);
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

/** @param {string} script @param {string[]} args */
function run(script, args) {
  // Everything goes to stderr: stdout may be a tool's, and read by a program.
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`the build failed: ${path.basename(script)} ${args.join(' ')}`);
}

function hashInputs() {
  const hash = createHash('sha256').update(process.version);
  for (const file of INPUTS.flatMap((input) => filesUnder(path.join(ROOT, input)))) {
    hash.update(`\0${path.relative(ROOT, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** @param {string} file @returns {string[]} */
function filesUnder(file) {
  if (!statSync(file).isDirectory()) return [file];
  return readdirSync(file)
    .sort()
    .flatMap((name) => filesUnder(path.join(file, name)));
}

module.exports = { buildIfStale };

if (require.main === module) {
  try {
    if (process.argv.includes('--if-stale')) buildIfStale();
    else build(hashInputs());
  } catch (fault) {
    console.error(fault instanceof Error ? fault.message : fault);
    process.exitCode = 1;
  }
}
