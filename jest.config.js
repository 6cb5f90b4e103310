// One configuration for both runs: `npm test` takes *.test.ts, `npm run test:long` takes *.long.ts (jest.long.config.js).
/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  globalSetup: '<rootDir>/scripts/need-programs.js',
  transform: {
    '\\.ts$|/node_modules/jose/.+\\.js$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  // Those that are published as ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!(jose)/)'],
  // A suite that starts servers needs more than jest's 5 s when the machine has two busy cores.
  testTimeout: 60_000,
};
