// Makes sure that there are the programs the tests run: redis-server, and a browser. jest runs it before anything else. On Debian, as
// root, it installs the packages that are missing, without letting them start a service; elsewhere it says how to get them.
const { execFileSync, spawnSync } = require('node:child_process');
const { chmodSync, existsSync, rmSync, writeFileSync } = require('node:fs');
const { findChromium } = require('./chromium');

const NEEDED = [
  {
    package: 'redis-server',
    isThere: () => ['redis-server', 'redis-cli'].every((name) => spawnSync(name, ['--version']).status === 0),
    ways: 'The tests need a redis-server (6.2 or later) on the PATH: apt-get install redis-server, dnf install redis, apk add redis, or brew install redis.',
  },
  {
    package: 'chromium',
    isThere: () => findChromium() !== null,
    ways: 'The tests need Chromium or Chrome on the PATH, or its path in CHROMIUM: apt-get install chromium, dnf install chromium, apk add chromium, or brew install chromium.',
  },
];
/** While it says so, packages start nothing: 101 means "forbidden". */
const POLICY = '/usr/sbin/policy-rc.d';

/** @param {string[]} packages */
function install(packages) {
  const isOurs = !existsSync(POLICY);
  if (isOurs) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY, 0o755);
  }
  /** @param {string[]} args */
  const apt = (...args) =>
    execFileSync('apt-get', ['-qq', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  try {
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...packages);
  } finally {
    if (isOurs) rmSync(POLICY, { force: true });
  }
}

const missing = () => NEEDED.filter(({ isThere }) => !isThere());

/** @param {typeof NEEDED} programs */
function demandNone(programs) {
  if (programs.length > 0) throw new Error(programs.map(({ ways }) => ways).join('\n'));
}

module.exports = async function needPrograms() {
  const programs = missing();
  if (programs.length === 0) return;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return demandNone(programs);
  const packages = programs.map((program) => program.package);
  console.error(`installing ${packages.join(' and ')} for the tests`);
  install(packages);
  demandNone(missing());
};
