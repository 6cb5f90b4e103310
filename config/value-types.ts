import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A day: no interval of this server is longer, and it stays below what a timer can hold (2^31 ms). */
const MAX_INTERVAL_MS = 86_400_000;
/** 1 TiB: a bound nobody meets, well inside exact integers. */
const MAX_BYTES = 1_099_511_627_776;

/** The types of environment variables: text in, value out. Each message says what is allowed. */

export function integer(defaultValue: number, min: number, max: number) {
  const error = `must be a whole number, ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
    .prefault(String(defaultValue));
}

export const milliseconds = (defaultValue: number, min = 1) => integer(defaultValue, min, MAX_INTERVAL_MS);

export const bytes = (defaultValue: number, min = 1, max = MAX_BYTES) => integer(defaultValue, min, max);

/** Exactly true, false, 1 or 0: a flag that is nearly right must not be read as off. */
export function flag(defaultValue: boolean) {
  return z
    .enum(['true', 'false', '1', '0'], { error: 'must be true, false, 1 or 0' })
    .transform((text) => text === 'true' || text === '1')
    .prefault(defaultValue ? 'true' : 'false');
}

export function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  defaultValue: Values[number],
) {
  return z.enum(values, { error: `must be ${values.join(' | ')}` }).prefault(defaultValue);
}

/** A file's text by its path. Read once, here, so that a file that is not there is the variable's fault. */
export function fileText(pattern: RegExp, error: string) {
  return z.string().transform((path, context) => {
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      // Told below, with the path.
    }
    if (!pattern.test(text)) context.addIssue({ code: 'custom', message: error });
    return text;
  });
}
