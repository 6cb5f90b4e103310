import type { FlowSession } from '../../../src/client/session';
import { eventually } from '../../support/eventually';
import { seededRandom } from '../../../src/tools/seeded-random';
import { CodeMirrorEditor } from './codemirror-editor';
import { ProseMirrorEditor } from './prosemirror-editor';
import { RebasingAuthor } from './rebasing-author';
import { faultsOf } from './tokens';
import type { World } from './world';

type OpenEditor = (
  author: string,
  session: FlowSession,
  random: () => number,
) =>
  | RebasingAuthor<ReturnType<CodeMirrorEditor['fromWire']>>
  | RebasingAuthor<ReturnType<ProseMirrorEditor['fromWire']>>;

export const EDITORS: ReadonlyArray<{ readonly name: string; readonly open: OpenEditor }> = [
  {
    name: '@codemirror/collab',
    open: (author, session, random) => new RebasingAuthor(author, session, new CodeMirrorEditor(author), random),
  },
  {
    name: 'prosemirror-collab',
    open: (author, session, random) => new RebasingAuthor(author, session, new ProseMirrorEditor(author), random),
  },
];

const EDITS = 240;
/** A cut in the middle of each stretch of so many edits; at its end everybody is waited for. */
const STRETCH = 40;
const HOLD_SAVES_AT = 110;
const KILL_AT = 130;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Three authors who edit, are cut off and see their server killed; what became of their text. */
export async function runAuthors(
  world: World,
  open: OpenEditor,
  seed: number,
): Promise<{ faults: string[]; cuts: number; unsavedAtKill: number; forks: number; stale: number }> {
  const random = seededRandom(seed);
  const { sessionId } = await world.createSession('json');
  const authors = ['a', 'b', 'c'].map((name) => open(name, world.client({ random }).session(sessionId), random));
  await Promise.all(authors.map(({ session }) => session.join()));
  let cuts = 0;
  let unsavedAtKill = 0;
  for (let step = 0; step < EDITS; step += 1) {
    authors[Math.floor(random() * authors.length)]?.edit();
    for (let turns = Math.floor(random() * 12); turns > 0; turns -= 1) await nextTurn();
    if (step % STRETCH === STRETCH / 2) {
      cuts += 1;
      world.gateway.cut();
    }
    if (step % STRETCH === STRETCH - 1) {
      await eventually('everybody is back', () => authors.every(({ session }) => session.isLive));
    }
    if (step === HOLD_SAVES_AT) world.holdSaves();
    if (step === KILL_AT) unsavedAtKill = await killWithUnsaved(world, sessionId, authors);
  }
  await eventually('everybody is synced', () =>
    authors.every(({ session, hasUnconfirmed }) => session.status.state === 'synced' && !hasUnconfirmed),
  );
  const stored = await world.documents.operationLog.head(sessionId);
  await eventually('everybody has everything', () => authors.every(({ session }) => session.head.seq === stored?.seq));
  const ledgers = authors.map(({ ledger }) => ledger);
  const texts = new Set(authors.map(({ text }) => text));
  return {
    faults: [
      ...(texts.size === 1 ? [] : ['the texts differ']),
      ...authors.flatMap(({ text }) => faultsOf(text, ledgers)),
    ],
    cuts,
    unsavedAtKill,
    forks: authors.reduce((sum, { forks }) => sum + forks, 0),
    stale: authors.reduce((sum, { stale }) => sum + stale, 0),
  };
}

/** Kills the server when it has delivered something that is not saved; answers how many operations. */
async function killWithUnsaved(
  world: World,
  sessionId: string,
  authors: ReadonlyArray<{ readonly session: FlowSession }>,
): Promise<number> {
  let count = 0;
  await eventually('something delivered and not saved', async () => {
    const stored = await world.documents.operationLog.head(sessionId);
    count = Math.max(...authors.map(({ session }) => session.head.seq)) - (stored?.seq ?? 0);
    return count > 0;
  });
  await world.kill();
  return count;
}
