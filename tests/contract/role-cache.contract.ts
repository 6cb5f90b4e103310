import type { CachedAccess, RoleCache } from '../../src/access/role-cache';
import { eventually } from '../support/eventually';

export const TTL_MS = 300_000;

export interface RoleCacheNodes {
  readonly one: RoleCache;
  readonly other: RoleCache;
  /** As if so much time had passed for what is kept. */
  readonly pass: (ms: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What everybody who keeps roles promises (AC4). */
export function roleCacheContract(backend: string, start: () => Promise<RoleCacheNodes>): void {
  describe(`RoleCache on ${backend}`, () => {
    let nodes: RoleCacheNodes;
    beforeEach(async () => {
      nodes = await start();
    });
    afterEach(() => nodes.stop());

    const ANY = { since: 0, until: Number.MAX_SAFE_INTEGER };
    const editor = (number: number): CachedAccess => ({ role: 'editor', link: 'none', number });

    /** What is put on one node is on the other soon. */
    async function put(sessionId: string, userId: string, row: CachedAccess): Promise<void> {
      await nodes.one.put(sessionId, userId, row);
      expect(await nodes.one.get(sessionId, userId, ANY)).toEqual(row);
      await eventually('it to be on the other node', async () => {
        const { number } = row;
        expect(await nodes.other.get(sessionId, userId, { since: number, until: number })).toEqual(row);
      });
    }

    test('there is nothing at first', async () => {
      expect(await nodes.one.get('novel', 'ann', ANY)).toBeNull();
    });

    test('the newest row is there for every node, with every field, for its user in its session alone', async () => {
      const rows: readonly CachedAccess[] = [
        editor(1),
        { role: 'owner', link: 'editor', number: 2 },
        { role: null, link: 'commenter', number: Number.MAX_SAFE_INTEGER },
      ];
      for (const row of rows) await put('novel', 'ann', row);
      expect(await nodes.other.get('novel', 'bob', ANY)).toBeNull();
      expect(await nodes.other.get('sequel', 'ann', ANY)).toBeNull();
    });

    test('[AC4] a row from before the last change, or from the future of another store, is none', async () => {
      await put('novel', 'ann', editor(7));
      for (const node of [nodes.one, nodes.other]) {
        expect(await node.get('novel', 'ann', { since: 8, until: 9 })).toBeNull();
        expect(await node.get('novel', 'ann', { since: 0, until: 6 })).toBeNull();
        expect(await node.get('novel', 'ann', { since: 7, until: 7 })).toEqual(editor(7));
      }
    });

    test('[AC4] a row ends 300 seconds after it was put, for the node that has used it, too', async () => {
      await nodes.one.put('novel', 'ann', editor(1));
      await nodes.pass(TTL_MS / 2);
      await put('novel', 'bob', editor(1));
      await eventually('the other node to use it', async () =>
        expect(await nodes.other.get('novel', 'ann', ANY)).toEqual(editor(1)),
      );
      await nodes.pass(TTL_MS / 2);
      for (const node of [nodes.one, nodes.other]) {
        expect(await node.get('novel', 'ann', ANY)).toBeNull();
        expect(await node.get('novel', 'bob', ANY)).toEqual(editor(1));
      }
    });

    test('ids of users are any text', async () => {
      const names = ['auth0|7', 'a:b', '{x}', 'ü'.repeat(100), 'ann:novel'];
      for (const [number, userId] of names.entries()) await put('novel', userId, editor(number));
      for (const [number, userId] of names.entries()) {
        expect(await nodes.other.get('novel', userId, ANY)).toEqual(editor(number));
      }
    });
  });
}
