/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['**/*.long.ts'],
  // Thousands of seeds, or a replay killed ten times: bounded, but not by seconds.
  testTimeout: 1_800_000,
};
