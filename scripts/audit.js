// Known holes in what the server runs on. Exits with 1 if there is one rated high or critical, and with 75 (EX_TEMPFAIL) if nobody could be asked.

const { spawnSync } = require('node:child_process');
const path = require('node:path');

const NOT_ASKED = 75;
/** A registry that has not answered by then is away. */
const ANSWER_DEADLINE_MS = 10_000;
const DEADLINE_MS = 30_000;
const GRAVE = ['high', 'critical'];

/** @typedef {{ name: string, severity: string, via: Array<string | { title: string, url: string }> }} Hole */

/** @type {{ vulnerabilities?: Record<string, Hole>, message?: string }} */
let report = {};
const { stdout, stderr, error } = spawnSync(
  'npm',
  ['audit', '--omit=dev', '--json', '--fetch-retries=0', `--fetch-timeout=${ANSWER_DEADLINE_MS}`],
  { cwd: path.join(__dirname, '..'), encoding: 'utf8', timeout: DEADLINE_MS },
);
try {
  report = /** @type {typeof report} */ (JSON.parse(stdout));
} catch {
  // Told below.
}

const { vulnerabilities } = report;
if (vulnerabilities) {
  const grave = Object.values(vulnerabilities).filter(({ severity }) => GRAVE.includes(severity));
  for (const { name, severity, via } of grave)
    for (const hole of via)
      console.log(
        `${name}: ${severity}: ${typeof hole === 'string' ? `through ${hole}` : `${hole.title} ${hole.url}`}`,
      );
  if (grave.length > 0) process.exitCode = 1;
} else {
  console.log(
    `DEPENDENCIES WERE NOT AUDITED: the registry could not be asked (${report.message ?? error?.message ?? stderr.trim()}).`,
  );
  console.log(
    'Known holes in them would not be noticed. Run it again where the registry can be reached: node scripts/audit.js',
  );
  process.exitCode = NOT_ASKED;
}
