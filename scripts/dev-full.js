// npm run dev:full: starts a Redis (as npm run redis:up), then what npm run dev starts, with every service on it. The Redis goes on when this ends.

const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { parse } = require('dotenv');
const { buildIfStale } = require('./build');
const { Trouble, up } = require('./redis');

async function main() {
  await up();
  if (process.exitCode) return;
  const variables = Object.keys(parse(readFileSync(path.join(__dirname, '../.env.development'))));
  const flags = variables.filter((name) => name.startsWith('USE_REDIS_'));
  // A fallback would hide that the Redis of this very command is not used.
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, REDIS_FALLBACK: 'exit' };
  for (const flag of flags) env[flag] = 'true';
  buildIfStale();
  const cwd = path.join(__dirname, '..');
  const bin = (/** @type {string} */ name) => path.join(cwd, 'node_modules/.bin', name);
  // Not through a shell, which would die alone of a signal and leave these behind.
  const dev = spawn(bin('tsx'), ['watch', '--clear-screen=false', 'src/main.ts'], {
    cwd,
    env,
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  const pretty = spawn(bin('pino-pretty'), { stdio: ['pipe', 'inherit', 'inherit'] });
  dev.stdout.pipe(pretty.stdin);
  // A terminal tells all of Ctrl+C; who tells only this process means the server, too.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => dev.kill('SIGTERM'));
  dev.on('exit', (code) => {
    process.exitCode = code ?? 0;
  });
}

main().catch((fault) => {
  console.error(fault instanceof Trouble ? fault.message : fault);
  process.exitCode = 1;
});
