// Prints "<passed> <failed>" of a jest run: node scripts/test-counts.js <jest's json> <its exit code>
// A suite that did not even load is a failure, and so is a run that ended badly without naming one, or left no json.

const { existsSync, readFileSync } = require('node:fs');

const [file = '', status = '1'] = process.argv.slice(2);
/** @typedef {{ numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number }} Counts */
if (existsSync(file)) {
  const results = /** @type {Counts} */ (JSON.parse(readFileSync(file, 'utf8')));
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = results;
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  const isBrokenOff = status !== '0' && failed === 0;
  console.log(`${numPassedTests} ${isBrokenOff ? 1 : failed}`);
} else {
  console.log('0 1');
}
