const POLL_MS = 5;
const DEADLINE_MS = 10_000;

/**
 * Waits until `check` neither throws nor answers false. At the deadline it fails with what the check said last, so that
 * the message shows what there was instead.
 */
export async function eventually(
  what: string,
  check: () => boolean | void | Promise<boolean | void>,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    let fault: unknown;
    try {
      if ((await check()) !== false) return;
      fault = 'it was not so';
    } catch (thrown) {
      fault = thrown;
    }
    if (performance.now() >= endsAt) {
      const said = fault instanceof Error ? fault.message : String(fault);
      throw new Error(`not within ${deadlineMs} ms: ${what}; last seen: ${said}`, { cause: fault });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
