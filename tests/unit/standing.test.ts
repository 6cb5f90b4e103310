import type { User } from '../../src/access/access';
import type { Verdict } from '../../src/access/authorisation';
import { Standing, type Judge } from '../../src/live/standing';
import { FlowError } from '../../src/protocol/errors';
import type { Role, SessionInfo } from '../../src/protocol/schemas';
import { settle } from '../support/manual-clock';

const session: SessionInfo = { sessionId: 's', title: '', format: 'json', createdBy: 'o', createdAt: 0, updatedAt: 0 };
const user: User = { userId: 'ann', deviceId: null, isAdministrator: false, expiresAt: null, issuedAt: 0 };

/** Whoever judges, and answers when the test lets it. */
function make(verdict: Verdict = { role: 'editor', number: 1 }, state = { isOutdated: false, isFresh: true }) {
  const asked: Array<{ answer: (role: Role | null) => void; fail: (fault: Error) => void }> = [];
  const authorisation: Judge = {
    judge: () =>
      new Promise((resolve, reject) => {
        asked.push({ answer: (role) => resolve({ role, number: 9 }), fail: reject });
      }),
    isOutdated: () => state.isOutdated,
    isFresh: () => state.isFresh,
    demandFresh: async () => {
      if (!state.isFresh) throw new FlowError('STORE_UNAVAILABLE');
    },
  };
  const heard: Array<string | null> = [];
  const standing: Standing = new Standing({
    session: () => session,
    authorisation,
    user: () => user,
    verdict,
    onJudged: (fault) => heard.push(fault instanceof FlowError ? fault.code : standing.role),
  });
  return { standing, asked, heard, state };
}

test('[AC3] who was judged when they came is sure from the first moment, and nobody is asked', async () => {
  const { standing, asked } = make();
  expect([standing.isSure, standing.role, asked.length]).toEqual([true, 'editor', 0]);
  await standing.sure();
  standing.demandMay('write');
  expect(() => standing.demandMay('set roles')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
});

test('[AC3] what has changed since then is judged before anything is sure', async () => {
  const { standing, asked } = make({ role: 'editor', number: 1 }, { isOutdated: true, isFresh: true });
  expect(standing.isSure).toBe(false);
  asked[0]?.answer('viewer');
  await standing.sure();
  expect(() => standing.demandMay('write')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
});

test('[AC3] nothing is sure from the turn in which something changed; a change meanwhile is judged, too', async () => {
  const { standing, asked, heard } = make();
  standing.review();
  expect(standing.isSure).toBe(false);
  let isSure = false;
  const waiting = standing.sure().then(() => {
    isSure = true;
  });
  standing.review();
  asked[0]?.answer('editor');
  await settle();
  expect([isSure, heard, asked.length]).toEqual([false, [], 2]);
  asked[1]?.answer(null);
  await waiting;
  expect([standing.isSure, standing.role, heard]).toEqual([true, null, [null]]);
  expect(() => standing.demandMay('read')).toThrow(expect.objectContaining({ code: 'SESSION_NOT_FOUND' }));
});

test('[AC3] where nobody can judge, whoever waits hears it, and there is no role', async () => {
  const { standing, asked, heard } = make();
  standing.review();
  const waiting = standing.sure();
  asked[0]?.fail(new FlowError('STORE_UNAVAILABLE'));
  await expect(waiting).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect([standing.role, heard]).toEqual([null, ['STORE_UNAVAILABLE']]);
});

test('[AC3] while changes cannot be heard, nothing is sure', async () => {
  const { standing, state } = make();
  state.isFresh = false;
  expect(standing.isSure).toBe(false);
  await expect(standing.sure()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  state.isFresh = true;
  await standing.sure();
  expect(standing.role).toBe('editor');
});
