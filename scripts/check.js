// npm run check: everything about the code that can be known without running it, and known holes in what it runs on. All steps run, also after
// a failure.

const { spawnSync } = require('node:child_process');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
/** Server; client, pages and tools see the DOM too; tests and benchmarks; these scripts. */
const PROJECTS = ['.', 'src/client', 'src/web', 'src/tools', 'tests', 'scripts'];

/** @type {Array<[name: string, command: string, ...args: string[]]>} */
const STEPS = [
  ...PROJECTS.map(
    (project) => /** @type {[string, string, ...string[]]} */ ([`types ${project}`, 'tsc', '--noEmit', '-p', project]),
  ),
  ['lint', 'oxlint', '--deny-warnings'],
  ['format', 'biome', 'format', '--max-diagnostics=none', '.'],
  ['directions', 'tsx', 'scripts/check-directions.ts'],
  ['docs in step', 'tsx', 'scripts/check-docs.ts'],
  ['audit', process.execPath, 'scripts/audit.js'],
];

/** EX_TEMPFAIL: a step could not be done here and now, and says why. It fails nothing, and is not passed over in silence. */
const NOT_DONE = 75;
/** @type {string[]} */
const notDone = [];

const failed = STEPS.filter(([name, command, ...args]) => {
  const file = path.isAbsolute(command) ? command : path.join(ROOT, 'node_modules/.bin', command);
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd: ROOT, encoding: 'utf8' });
  if (status === NOT_DONE) notDone.push(`${stdout}${stderr}`.trim());
  const isFailed = status !== 0 && status !== NOT_DONE;
  console.log(`${isFailed ? '✗' : status === NOT_DONE ? '!' : '✓'} ${name}`);
  if (isFailed) console.log(error?.message ?? `${stdout}${stderr}`);
  return isFailed;
});

for (const text of notDone) console.log(`\n!!! ${text.replaceAll('\n', '\n!!! ')}\n`);
if (failed.length > 0) {
  console.log(`check failed: ${failed.map(([name]) => name).join(', ')}`);
  process.exitCode = 1;
}
