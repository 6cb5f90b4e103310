// Does what a new user does: `npm start` on a free port, wait until /health answers 200, press Ctrl+C.
// Passes if the server then ends by itself with 0.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const { createServer } = require('node:net');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

/** The first start builds; on a busy machine that takes a while. */
const START_DEADLINE_MS = 180_000;
/** The server's own stop deadline is 10 s. */
const STOP_DEADLINE_MS = 20_000;
const POLL_INTERVAL_MS = 100;

async function main() {
  const port = await freePort();
  const documents = mkdtempSync(path.join(tmpdir(), 'flow-start-'));
  const npm = spawn('npm', ['start'], {
    cwd: path.join(__dirname, '..'),
    env: { ...process.env, PORT: String(port), DOCUMENT_DIR: documents },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  try {
    const exited = once(npm, 'exit');
    await healthy(`http://localhost:${port}/health`, npm);
    interrupt(npm.pid);
    const [code, signal] = await Promise.race([exited, delay(STOP_DEADLINE_MS, ['no exit', null], { ref: false })]);
    if (code !== 0) throw new Error(`after Ctrl+C: exit code ${code}, signal ${signal}`);
    if (await answers(`http://localhost:${port}/health`)) throw new Error('npm has ended, but the server goes on');
  } finally {
    killGroup(npm.pid);
    rmSync(documents, { recursive: true, force: true });
  }
}

/** @param {string} url @param {import('node:child_process').ChildProcess} server */
async function healthy(url, server) {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!(await answers(url))) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode} before it was healthy`);
    if (Date.now() > deadline) throw new Error(`no 200 from ${url} within ${START_DEADLINE_MS} ms`);
    await delay(POLL_INTERVAL_MS);
  }
}

/** @param {string} url */
const answers = (url) =>
  fetch(url).then(
    (response) => response.status === 200,
    () => false,
  );

async function freePort() {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** As a terminal does: everyone in the group is told, and npm passes it on besides. @param {number | undefined} pid */
function interrupt(pid) {
  if (pid === undefined) throw new Error('npm has no process id');
  process.kill(-pid, 'SIGINT');
}

/** What is left of the group this script started, if anything. @param {number | undefined} pid */
function killGroup(pid) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left.
  }
}

main().catch((fault) => {
  console.error(`start check failed: ${fault instanceof Error ? fault.message : fault}`);
  process.exitCode = 1;
});
