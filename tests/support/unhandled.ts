/** Inside a `describe`: whatever nobody handled fails the test in which it happened. */
export function expectNothingUnhandled(): void {
  const unhandled: unknown[] = [];
  const note = (fault: unknown): void => void unhandled.push(fault);

  beforeAll(() => {
    process.on('unhandledRejection', note);
    process.on('uncaughtException', note);
  });

  afterEach(async () => {
    // Node says so after the turn in which it happened.
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled.splice(0)).toEqual([]);
  });

  afterAll(() => {
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
  });
}
