import { entryAfter } from '../support/entries';
import type { CollaborationService } from '../../src/sessions/collaboration-service';
import type { DocumentStore } from '../../src/storage/document-store';

/** Two instances on one backend and one store. */
export interface CollaborationNodes {
  readonly one: CollaborationService;
  readonly other: CollaborationService;
  readonly store: DocumentStore;
  /** Lets the wall clock move, so that times differ. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const refusal = (code: string) => expect.objectContaining({ name: 'FlowError', code });

export function collaborationServiceContract(backend: string, start: () => Promise<CollaborationNodes>): void {
  describe(`collaboration service on ${backend}`, () => {
    let nodes: CollaborationNodes;
    let one: CollaborationService;
    let other: CollaborationService;

    beforeEach(async () => {
      nodes = await start();
      ({ one, other } = nodes);
    });

    afterEach(() => nodes.stop());

    test('a session that was created is there, on every instance', async () => {
      const session = await one.create({
        sessionId: 'notes',
        title: 'Notes',
        format: 'json',
        createdBy: 'ada',
        link: 'none',
      });
      expect(session).toEqual({
        sessionId: 'notes',
        title: 'Notes',
        format: 'json',
        createdBy: 'ada',
        createdAt: expect.any(Number),
        updatedAt: session.createdAt,
      });
      expect(await other.get('notes')).toEqual(session);
    });

    test('without an id one is made that nobody can guess, and without a title there is one', async () => {
      const made = await Promise.all(
        Array.from({ length: 20 }, () => one.create({ format: 'yjs', createdBy: 'ada', link: 'none' })),
      );
      expect(new Set(made.map(({ sessionId }) => sessionId)).size).toBe(20);
      for (const { sessionId, title } of made) {
        expect(sessionId).toMatch(/^[A-Za-z0-9._~-]{16,128}$/);
        expect(title).toBe('Untitled');
      }
    });

    test('an id is taken once: of two who ask together one gets it', async () => {
      const draft = { sessionId: 'wanted', format: 'yjs', createdBy: 'ada', link: 'none' } as const;
      const both = await Promise.allSettled([
        one.create(draft),
        other.create({ ...draft, createdBy: 'bob', link: 'none' }),
      ]);
      const [refused] = both.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(refused).toEqual(refusal('SESSION_EXISTS'));
    });

    test('there is no session that nobody created', async () => {
      expect(await one.get('nobody')).toBeNull();
      await expect(one.rename('nobody', 'x')).rejects.toEqual(refusal('SESSION_NOT_FOUND'));
      await expect(one.close('nobody')).rejects.toEqual(refusal('SESSION_NOT_FOUND'));
      await expect(one.duplicate('nobody', { createdBy: 'ada', link: 'none' })).rejects.toEqual(
        refusal('SESSION_NOT_FOUND'),
      );
    });

    test('a new title is there on every instance, with the time of the change', async () => {
      const before = await one.create({ sessionId: 'notes', format: 'yjs', createdBy: 'ada', link: 'none' });
      await nodes.pass(5);
      const renamed = await one.rename('notes', 'Better');
      expect(renamed).toEqual({ ...before, title: 'Better', updatedAt: renamed.updatedAt });
      expect(renamed.updatedAt).toBeGreaterThan(before.updatedAt);
      expect(await other.get('notes')).toEqual(renamed);
    });

    test('a closed session is gone, and its id stays taken', async () => {
      await one.create({ sessionId: 'notes', format: 'yjs', createdBy: 'ada', link: 'none' });
      await one.close('notes');
      expect(await other.get('notes')).toBeNull();
      expect((await other.list({ limit: 10 })).sessions).toEqual([]);
      await expect(one.close('notes')).rejects.toEqual(refusal('SESSION_NOT_FOUND'));
      await expect(one.rename('notes', 'x')).rejects.toEqual(refusal('SESSION_NOT_FOUND'));
      await expect(one.duplicate('notes', { createdBy: 'ada', link: 'none' })).rejects.toEqual(
        refusal('SESSION_NOT_FOUND'),
      );
      await expect(one.create({ sessionId: 'notes', format: 'yjs', createdBy: 'ada', link: 'none' })).rejects.toEqual(
        refusal('SESSION_EXISTS'),
      );
    });

    test('a listing goes through all sessions in order of id, page by page', async () => {
      const ids = ['b', 'a', 'e', 'd', 'c'];
      for (const sessionId of ids) await one.create({ sessionId, format: 'yjs', createdBy: 'ada', link: 'none' });
      await one.close('d');
      const seen: string[] = [];
      let after: string | undefined;
      let pages = 0;
      do {
        const { sessions, next } = await other.list({ limit: 2, ...(after === undefined ? {} : { after }) });
        seen.push(...sessions.map(({ sessionId }) => sessionId));
        after = next ?? undefined;
        pages += 1;
      } while (after !== undefined);
      expect(seen).toEqual(['a', 'b', 'c', 'e']);
      expect(pages).toBe(2);
    });

    test('a listing can be of one user', async () => {
      await one.create({ sessionId: 'a', format: 'yjs', createdBy: 'ada', link: 'none' });
      await one.create({ sessionId: 'b', format: 'yjs', createdBy: 'bob', link: 'none' });
      await one.create({ sessionId: 'c', format: 'yjs', createdBy: 'ada', link: 'none' });
      const { sessions, next } = await other.list({ limit: 10, userId: 'ada' });
      expect(sessions.map(({ sessionId }) => sessionId)).toEqual(['a', 'c']);
      expect(next).toBeNull();
    });

    test('a duplicate has the saved document and goes its own way', async () => {
      const { operationLog } = nodes.store;
      await one.create({ sessionId: 'source', title: 'Notes', format: 'json', createdBy: 'ada', link: 'none' });
      const entry = entryAfter({ operations: ['x'] });
      await operationLog.openEpoch('source', 0, 0);
      await operationLog.save([{ sessionId: 'source', epoch: 1, entries: [entry] }]);
      const copy = await one.duplicate('source', { createdBy: 'bob', link: 'none' });
      expect(copy).toMatchObject({ title: 'Notes', format: 'json', createdBy: 'bob' });
      expect(copy.sessionId).not.toBe('source');
      expect(await other.get(copy.sessionId)).toEqual(copy);
      expect((await operationLog.readAfter(copy.sessionId, 0, 1_000)).map(({ operations }) => operations)).toEqual([
        '["x"]',
      ]);
      await operationLog.save([{ sessionId: 'source', epoch: 1, entries: [entryAfter({ after: entry })] }]);
      expect(await operationLog.head(copy.sessionId)).toMatchObject({ seq: 1 });
    });

    test('a duplicate may be given an id and a title; a taken id is refused', async () => {
      await one.create({ sessionId: 'source', title: 'Notes', format: 'yjs', createdBy: 'ada', link: 'none' });
      expect(
        await one.duplicate('source', { sessionId: 'copy', title: 'Copy', createdBy: 'ada', link: 'none' }),
      ).toMatchObject({
        sessionId: 'copy',
        title: 'Copy',
      });
      await expect(one.duplicate('source', { sessionId: 'copy', createdBy: 'ada', link: 'none' })).rejects.toEqual(
        refusal('SESSION_EXISTS'),
      );
    });
  });
}
