import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SignJWT } from 'jose';
import { environment } from '../../config/environment';
import { ConfigError, loadConfig, type Config } from '../../config/load-config';

const USAGE = `npm run token -- --user NAME [--ttl 1h] [--admin]

  --user NAME   whom the token is for (\`sub\`)
  --ttl TIME    how long it is valid: 30s, 15m, 1h (default) or 7d
  --admin       an administrator's

Prints a token for AUTH_MODE=jwt, signed with AUTH_JWT_SECRET, from AUTH_ISSUER, for AUTH_AUDIENCE. For development: it asks nobody who you are.`;

/** The arguments or the settings are at fault. */
const INPUT_FAULT_EXIT_CODE = 2;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

class InputError extends Error {
  override readonly name = 'InputError';
}

interface Arguments {
  readonly user: string;
  readonly ttlSeconds: number;
  readonly isAdministrator: boolean;
}

function readArguments(): Arguments {
  const { values } = parse();
  const { user, ttl, admin } = values;
  if (user === undefined || user === '') throw new InputError(`--user is missing.\n\n${USAGE}`);
  return { user, ttlSeconds: secondsOf(ttl), isAdministrator: admin };
}

function parse() {
  try {
    return parseArgs({
      options: {
        user: { type: 'string' },
        ttl: { type: 'string', default: '1h' },
        admin: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new InputError(`${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}`, { cause });
  }
}

function secondsOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (isUnit(unit) ? SECONDS[unit] : 0);
  if (seconds > 0) return seconds;
  throw new InputError(`--ttl must be a number and s, m, h or d, like 90s or 1h; it is "${text}".`);
}

const isUnit = (unit: string | undefined): unit is keyof typeof SECONDS =>
  unit !== undefined && Object.hasOwn(SECONDS, unit);

function sign({ user, ttlSeconds, isAdministrator }: Arguments, config: Config): Promise<string> {
  const { authJwtSecret, authIssuer, authAudience, authMaxTokenSeconds } = config;
  if (authJwtSecret === undefined)
    throw new InputError('AUTH_JWKS_URL is set: tokens come from your identity provider.');
  if (ttlSeconds > authMaxTokenSeconds)
    throw new InputError(`--ttl must be at most ${authMaxTokenSeconds}s (AUTH_MAX_TOKEN_SECONDS).`);
  const token = new SignJWT(isAdministrator ? { roles: ['flow-admin'] } : {})
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(user)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${ttlSeconds}s`);
  if (authIssuer !== undefined) token.setIssuer(authIssuer);
  if (authAudience !== undefined) token.setAudience(authAudience);
  return token.sign(new TextEncoder().encode(authJwtSecret));
}

async function run(): Promise<void> {
  const given = readArguments();
  // What it is for, also where the server of this directory still runs in open mode.
  const config = loadConfig({ ...environment(), AUTH_MODE: 'jwt' });
  process.stdout.write(`${await sign(given, config)}\n`);
}

run().catch((fault: unknown) => {
  if (!(fault instanceof InputError || fault instanceof ConfigError)) throw fault;
  process.stderr.write(`${fault.message}\n`);
  process.exitCode = INPUT_FAULT_EXIT_CODE;
});
