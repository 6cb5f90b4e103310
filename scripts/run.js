// Runs a built program in this very process, building what is missing or stale first:
//   node scripts/run.js src/main.js [arguments]
// Signals and the exit code are the program's own: nothing stands between.

const path = require('node:path');
const { buildIfStale } = require('./build');

const [program = 'src/main.js', ...args] = process.argv.slice(2);

try {
  if (buildIfStale()) console.error('built dist/');
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exit(1);
}

const file = path.join(__dirname, '../dist', program);
process.argv = [process.execPath, file, ...args];
require(file);
