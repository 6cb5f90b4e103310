import { callerLimitNames, variableOf } from './schema';

/** Variables for a server that is to be measured or tried by a program: no limit per caller holds. */
export const UNLIMITED: Readonly<Record<string, string>> = Object.fromEntries(
  callerLimitNames.map((name) => [variableOf(name), '0']),
);
