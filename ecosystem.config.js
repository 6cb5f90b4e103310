// pm2 start ecosystem.config.js — run `npm run build` before.

require('dotenv').config({ quiet: true });
const { stopDeadlineMs, killMarginMs } = require('./config/stop-deadline.json');

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
      kill_timeout: (Number(process.env.STOP_DEADLINE_MS) || stopDeadlineMs) + killMarginMs,
      // A configuration at fault (78) is not cured by starting again; anything else is tried with growing pauses (ms).
      stop_exit_codes: [78],
      exp_backoff_restart_delay: 200,
    },
  ],
};
