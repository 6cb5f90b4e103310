// pm2 start ecosystem.config.js — run `npm run build` before.

const path = require('node:path');
const { config: readEnvFile } = require('dotenv');
const { stopDeadlineMs, killMarginMs } = require('./config/stop-deadline.json');

// Read beside the environment, never into it: pm2 keeps the environment of the first start, where it would win over every later edit of
// `.env`. The server reads the file itself, at each start.
/** @type {Record<string, string>} */
const inFile = {};
readEnvFile({ quiet: true, path: path.join(__dirname, '.env'), processEnv: inFile });
const { STOP_DEADLINE_MS = inFile.STOP_DEADLINE_MS } = process.env;

module.exports = {
  apps: [
    {
      name: 'backend',
      script: 'dist/src/main.js',
      cwd: __dirname,
      // One process: services in memory are not shared between processes.
      exec_mode: 'fork',
      instances: 1,
      // The process says `ready` when it listens; opening a large store takes its time (ms).
      wait_ready: true,
      listen_timeout: 30_000,
      // pm2 sends SIGKILL this long after SIGINT (ms): never before an orderly stop had its whole deadline.
      kill_timeout: (Number(STOP_DEADLINE_MS) || stopDeadlineMs) + killMarginMs,
      // A configuration at fault (78) is not cured by starting again; anything else is tried with growing pauses (ms).
      stop_exit_codes: [78],
      exp_backoff_restart_delay: 200,
    },
  ],
};
