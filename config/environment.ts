import { config as readEnvFile } from 'dotenv';
import type { Environment } from './load-config';

/**
 * The environment with what `.env` in the working directory adds to it; what the environment has wins.
 * It is added in place, so that libraries that look at NODE_ENV see the same.
 */
export function environment(env: Record<string, string | undefined> = process.env, file = '.env'): Environment {
  readEnvFile({ quiet: true, path: file, processEnv: env });
  return env;
}
