/** `promise`, or a rejection that says what did not come in time. */
export async function within<Value>(deadlineMs: number, what: string, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms in vain for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const POLL_INTERVAL_MS = 10;

/** Resolves when `holds` does; looks again and again until then. */
export function until(deadlineMs: number, what: string, holds: () => boolean): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const held = new Promise<void>((resolve) => {
    const look = (): void => {
      if (holds()) resolve();
      else timer = setTimeout(look, POLL_INTERVAL_MS);
    };
    look();
  });
  return within(deadlineMs, what, held).finally(() => clearTimeout(timer));
}

/** Part of a measurement, such as the window in which nothing happens; not for waiting until something is done. */
export const elapse = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
