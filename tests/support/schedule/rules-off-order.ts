import { DEATHS, LATE_ADMISSION, QUIET, RESENDING } from './profiles';
import { otherLog, otherOrdering, type RuleOff } from './rule-off';

export const ORDER_RULES_OFF: readonly RuleOff[] = [
  {
    rule: 'EO2',
    instead: 'a batch that comes again is accepted again, under the next numbers',
    breaks: ['unique'],
    profile: RESENDING,
    parts: otherOrdering((real) => ({
      async append(sessionId, submission) {
        const result = await real.append(sessionId, submission);
        if (result.status !== 'duplicate') return result;
        const admitted = await real.admit(sessionId, submission.epoch, submission.clientId, null);
        if (admitted === 'wrong-epoch') return { status: 'wrong-epoch' };
        return real.append(sessionId, { ...submission, firstClientSeq: admitted.lastClientSeq + 1 });
      },
    })),
  },
  {
    rule: 'EO4',
    instead: 'a base is not compared with the head',
    breaks: ['base'],
    profile: { ...QUIET, sessions: ['json'], authors: ['submits', 'proposes', 'proposes'] },
    parts: otherOrdering((real) => ({
      append(sessionId, { base: _, ...submission }) {
        return real.append(sessionId, submission);
      },
    })),
  },
  {
    rule: 'EO7',
    instead: 'appends and admissions go to whatever epoch the hot log has',
    breaks: ['unique'],
    profile: LATE_ADMISSION,
    parts: otherOrdering((real) => {
      const epochNow = async (sessionId: string): Promise<number> => (await real.describe([sessionId]))[0]?.epoch ?? 0;
      return {
        append: async (sessionId, submission) =>
          real.append(sessionId, { ...submission, epoch: await epochNow(sessionId) }),
        admit: async (sessionId, _, clientId, stored) =>
          real.admit(sessionId, await epochNow(sessionId), clientId, stored),
      };
    }),
  },
  {
    rule: 'EO11',
    instead: 'a join does not bring the row of a client into the hot log',
    breaks: ['unique', 'order', 'complete'],
    profile: DEATHS,
    parts: otherLog(() => ({ clientRow: async () => null })),
  },
];
