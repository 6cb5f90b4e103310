import type { Allowance, RateLimits } from '../../src/limits/rate-limits';

export interface RateLimitsNodes {
  readonly one: RateLimits;
  readonly other: RateLimits;
  /** As if so much time had passed. */
  readonly pass: (ms: number) => Promise<void>;
}

const SECONDS = 60;

/** What everybody who counts promises. */
export function rateLimitsContract(backend: string, start: () => Promise<RateLimitsNodes>): void {
  describe(`Rate limits on ${backend}`, () => {
    let nodes: RateLimitsNodes;
    beforeEach(async () => {
      nodes = await start();
    });

    const allowance = (fields: Partial<Allowance> = {}): Allowance => ({
      limiter: 'default',
      caller: 'ann',
      route: '/api/messages',
      points: 3,
      seconds: SECONDS,
      ...fields,
    });
    const isAllowed = async (node: RateLimits, fields?: Partial<Allowance>, points = 1): Promise<boolean> =>
      (await node.take(allowance(fields), points)).isAllowed;

    test('[LM1] so many points are there and no more, whichever node is asked; it is said what is left and until when', async () => {
      for (const [index, node] of [nodes.one, nodes.other, nodes.one].entries()) {
        const { resetMs, ...standing } = await node.take(allowance(), 1);
        expect(standing).toEqual({ isAllowed: true, remaining: 2 - index });
        expect(resetMs).toBeGreaterThan((SECONDS - 5) * 1_000);
        expect(resetMs).toBeLessThanOrEqual(SECONDS * 1_000);
      }
      for (const node of [nodes.other, nodes.one]) {
        const { resetMs, ...standing } = await node.take(allowance(), 1);
        expect(standing).toEqual({ isAllowed: false, remaining: 0 });
        expect(resetMs).toBeGreaterThan((SECONDS - 5) * 1_000);
        expect(resetMs).toBeLessThanOrEqual(SECONDS * 1_000);
      }
    });

    test('a window ends by itself, and what was refused has not made it longer', async () => {
      expect(await isAllowed(nodes.one, {}, 3)).toBe(true);
      await nodes.pass((SECONDS * 1_000) / 2);
      expect(await isAllowed(nodes.one)).toBe(false);
      expect(await isAllowed(nodes.other)).toBe(false);
      await nodes.pass((SECONDS * 1_000) / 2);
      expect(await isAllowed(nodes.one, {}, 3)).toBe(true);
      expect(await isAllowed(nodes.other)).toBe(false);
    });

    test('several points are taken at once, or refused at once', async () => {
      expect(await isAllowed(nodes.one, {}, 2)).toBe(true);
      expect(await isAllowed(nodes.other, {}, 2)).toBe(false);
      expect(await isAllowed(nodes.one, { caller: 'bob' }, 4)).toBe(false);
    });

    test('limiters, callers and routes are apart', async () => {
      expect(await isAllowed(nodes.one, {}, 3)).toBe(true);
      const others: Array<Partial<Allowance>> = [
        { caller: 'an' },
        { caller: 'ann:/api' },
        { caller: '{x}' },
        { caller: '2001:db8:0:1::/64' },
        { route: '/api/sessions/:sessionId' },
        { route: '/api' },
        { limiter: 'bytes' },
        { limiter: 'ip' },
        { limiter: 'auth' },
      ];
      for (const fields of others) expect(await isAllowed(nodes.other, fields, 3)).toBe(true);
      expect(await isAllowed(nodes.one)).toBe(false);
    });

    test('of many that come at once on both nodes, exactly as many are allowed as there are points', async () => {
      const asked = Array.from({ length: 60 }, (_, index) =>
        isAllowed(index % 2 ? nodes.one : nodes.other, { points: 20 }),
      );
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(20);
    });
  });
}
