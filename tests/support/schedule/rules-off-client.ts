import { DEATHS } from './profiles';
import { changedClient, changedServer, type RuleOff } from './rule-off';

export const CLIENT_RULES_OFF: readonly RuleOff[] = [
  {
    rule: 'CL1',
    instead: 'the library lets go of operations that are ordered, not saved',
    breaks: ['complete', 'wait'],
    profile: DEATHS,
    parts: changedClient({
      folder: 'src/client',
      find: '    const kept = this.#ordered.findIndex((batch) => seqOf(batch) > seq);',
      replace: '    const kept = -1;\n    void seq;',
    }),
  },
  {
    rule: 'CL2',
    instead: 'the library does not hold again what a fork took back',
    breaks: ['complete', 'wait'],
    profile: DEATHS,
    parts: changedClient({
      folder: 'src/client',
      find: '    const isVoid = (batch: Batch): boolean => seqOf(batch) > seq;',
      replace: '    const isVoid = (batch: Batch): boolean => seqOf(batch) > seq && seq < 0;',
    }),
  },
  {
    rule: 'CL2',
    instead: 'the library gives new numbers to what it holds before it knows what the history has of it',
    breaks: ['unique'],
    profile: { sessions: ['json'], faults: { swallow: 2, lag: 1, cut: 2 }, faultCount: 12 },
    parts: changedClient({
      folder: 'src/client',
      find: '    this.#lastSeen = lastClientSeq;\n',
      replace: `
        this.#lastSeen = lastClientSeq;
        let next = lastClientSeq + 1;
        for (const batch of this.#open) {
          batch.clientSeq = next;
          next = lastClientSeqOf(batch) + 1;
        }`,
    }),
  },
  {
    rule: 'CL2',
    instead: 'the server answers `continue` whatever the client has',
    breaks: ['wait', 'complete'],
    profile: DEATHS,
    parts: changedServer({
      folder: 'src/live',
      find: 'if (have && (await this.isOnChain(tail, have.head)))',
      replace: 'if (have)',
    }),
  },
];
