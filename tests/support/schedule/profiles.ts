import type { Profile } from './plan';

/** Nothing goes wrong. */
export const QUIET: Profile = { faultCount: 0, cutCount: 0 };

/** What makes hot log and store disagree. */
export const LOG_TROUBLE: Profile = {
  mode: 'shared',
  store: 'memory',
  sessions: ['json'],
  faults: { 'fall back': 4, vanish: 1, 'stall saves': 2, 'lose hints': 3, 'delay hints': 1 },
  faultCount: 14,
  cutCount: 2,
};

export const HINT_TROUBLE: Profile = {
  mode: 'shared',
  faults: { 'lose hints': 2, 'reorder hints': 3, 'double hints': 1, 'delay hints': 1 },
  faultCount: 10,
  cutCount: 1,
};

/** Batches come again, because nobody knows whether they came. */
export const RESENDING: Profile = {
  mode: 'shared',
  sessions: ['json'],
  authors: ['submits', 'submits', 'submits'],
  faults: { 'lose replies': 2, 'lose hints': 3 },
  faultCount: 12,
};

/** Somebody is admitted to an epoch that is over by then. */
export const LATE_ADMISSION: Profile = {
  ...QUIET,
  mode: 'shared',
  instances: 2,
  sessions: ['json'],
  faults: { 'late admission': 1 },
  faultCount: 4,
  config: { auditIntervalMs: 1_000 },
};

/** Servers die with what they have not saved. */
export const DEATHS: Profile = {
  mode: 'process',
  store: 'memory',
  sessions: ['json'],
  faults: { kill: 1 },
  faultCount: 5,
  cutCount: 4,
};

/** A second process takes a document from the first. */
export const TAKEN_OVER: Profile = {
  mode: 'process',
  store: 'memory',
  sessions: ['json'],
  faults: { 'take over': 1 },
  faultCount: 1,
  cutCount: 0,
};
