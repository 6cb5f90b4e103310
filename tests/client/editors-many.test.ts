import type { FlowSession } from '../../src/client/session';
import { eventually } from '../support/eventually';
import { seededRandom } from '../support/random';
import { CodeMirrorEditor } from './support/codemirror-editor';
import { ProseMirrorEditor } from './support/prosemirror-editor';
import { RebasingAuthor } from './support/rebasing-author';
import { faultsOf } from './support/tokens';
import { useWorld, type World } from './support/world';

const world = useWorld();

const EDITORS = [
  {
    name: '@codemirror/collab',
    open: (author: string, session: FlowSession, random: () => number) =>
      new RebasingAuthor(author, session, new CodeMirrorEditor(author), random),
  },
  {
    name: 'prosemirror-collab',
    open: (author: string, session: FlowSession, random: () => number) =>
      new RebasingAuthor(author, session, new ProseMirrorEditor(author), random),
  },
];

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(EDITORS)('three authors with $name', ({ open }) => {
  test.each(Array.from({length:40},(_, i) => i + 1))('[EO4] [CL2] seed %i: random edits, cuts and a killed server: nothing lost, doubled or torn', async (seed) => {
    const random = seededRandom(seed);
    const { sessionId } = await world().createSession('json');
    const authors = ['a', 'b', 'c'].map((name) => open(name, world().client({ random }).session(sessionId), random));
    await Promise.all(authors.map(({ session }) => session.join()));
    let cuts = 0;
    let unsavedAtKill = 0;
    for (let step = 0; step < 240; step += 1) {
      authors[Math.floor(random() * authors.length)]?.edit();
      for (let turns = Math.floor(random() * 12); turns > 0; turns -= 1) await nextTurn();
      if (step % 40 === 20) {
        cuts += 1;
        world().gateway.cut();
      }
      if (step % 40 === 39) await eventually('everybody is back', () => authors.every(({ session }) => session.isLive));
      if (step === 110) world().holdSaves();
      if (step === 130) unsavedAtKill = await killWithUnsaved(world(), sessionId, authors);
    }
    const isQuiet = (): boolean => authors.every(({ session, hasUnconfirmed }) => session.status.state === 'synced' && !hasUnconfirmed);
    await eventually('everybody is synced', isQuiet);
    await eventually('everybody shows the same', () => new Set(authors.map(({ text }) => text)).size === 1);
    expect(authors.flatMap(({ text }) => faultsOf(text, authors.map(({ ledger }) => ledger)))).toEqual([]);
    expect(cuts).toBe(6);
    expect(unsavedAtKill).toBeGreaterThan(0);
    expect(authors.some(({ forks }) => forks > 0)).toBe(true);
    expect(authors.some(({ stale }) => stale > 0)).toBe(true);
  });
});

/** Kills the server when it has delivered something that is not saved; answers how many operations. */
async function killWithUnsaved(there: World, sessionId: string, authors: ReadonlyArray<{ session: FlowSession }>): Promise<number> {
  let count = 0;
  await eventually('something delivered and not saved', async () => {
    const stored = await there.documents.operationLog.head(sessionId);
    count = Math.max(...authors.map(({ session }) => session.head.seq)) - (stored?.seq ?? 0);
    return count > 0;
  });
  await there.kill();
  return count;
}
