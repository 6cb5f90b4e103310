// Makes sure that there is a redis-server for the tests; jest runs it before anything else. On Debian, as root, it installs the package,
// without letting it start a service; elsewhere it says how to get one.
const { execFileSync, spawnSync } = require('node:child_process');
const { chmodSync, existsSync, rmSync, writeFileSync } = require('node:fs');

const WAYS =
  'The tests need a redis-server (6.2 or later) on the PATH: apt-get install redis-server, dnf install redis, apk add redis, or brew install redis.';
/** While it says so, packages start nothing: 101 means "forbidden". */
const POLICY = '/usr/sbin/policy-rc.d';

const isThere = () => ['redis-server', 'redis-cli'].every((name) => spawnSync(name, ['--version']).status === 0);

function install() {
  const isOurs = !existsSync(POLICY);
  if (isOurs) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY, 0o755);
  }
  /** @param {string} line */
  const apt = (line) =>
    execFileSync('apt-get', ['-qq', ...line.split(' ')], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  try {
    apt('update');
    apt('install -y --no-install-recommends redis-server');
  } finally {
    if (isOurs) rmSync(POLICY, { force: true });
  }
}

module.exports = async function needRedisServer() {
  if (isThere()) return;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) throw new Error(WAYS);
  console.error('installing redis-server for the tests');
  install();
  if (!isThere()) throw new Error(WAYS);
};
