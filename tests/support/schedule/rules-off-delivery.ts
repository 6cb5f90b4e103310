import { HINT_TROUBLE, LOG_TROUBLE, QUIET } from './profiles';
import { changedServer, type RuleOff } from './rule-off';

export const DELIVERY_RULES_OFF: readonly RuleOff[] = [
  {
    rule: 'SV3',
    instead: 'news about saved is believed whatever the own tail has there',
    breaks: ['saved'],
    profile: { ...HINT_TROUBLE, config: { saveIntervalMs: 2, auditIntervalMs: 30 } },
    parts: changedServer(
      { folder: 'src/live', find: "    if (own === null) return 'no news';\n", replace: '' },
      {
        folder: 'src/live',
        find: "    if (own !== undefined && own !== tag) return 'contradiction';\n",
        replace: '    void own;\n',
      },
    ),
  },
  {
    rule: 'DL1',
    instead: 'a join leaves the pending frame for later',
    breaks: ['delivered'],
    profile: { ...QUIET, config: { fanoutIntervalMs: 10 } },
    parts: changedServer(
      {
        folder: 'src/live',
        find: '      this.#fanOut.flush();\n      const rest = tail.after(next.seq);',
        replace: '      const rest = tail.after(next.seq);',
      },
      { folder: 'src/live', find: '        audience.announce();\n', replace: '' },
    ),
  },
  {
    rule: 'DL1',
    instead: 'a connection enters the room a turn after its reply',
    breaks: ['delivered'],
    profile: QUIET,
    parts: changedServer({
      folder: 'src/live',
      find: '    else sockets.enter(connectionId, this.#sessionId);',
      replace: '    else setImmediate(() => sockets.enter(connectionId, this.#sessionId));',
    }),
  },
  {
    rule: 'DL1',
    instead: 'a page is the last one although the ring does not reach it',
    breaks: ['delivered'],
    profile: {
      mode: 'shared',
      faults: { kill: 1 },
      instances: 2,
      faultCount: 12,
      cutCount: 0,
      config: { saveIntervalMs: 100 },
    },
    parts: changedServer({
      folder: 'src/live',
      find: '    let isComplete = false;\n',
      replace: '    let isComplete = true;\n',
    }),
  },
  {
    rule: 'DL2',
    instead: 'the gate lets everything newer pass',
    breaks: ['delivered', 'tag'],
    profile: HINT_TROUBLE,
    parts: changedServer({
      folder: 'src/live',
      find: "    if (prevSeq > this.#head.seq) return 'hole';\n    if (prevSeq < this.#head.seq || entry.prevTag !== this.#head.tag) return 'break';\n",
      replace: '',
    }),
  },
  {
    rule: 'DL3',
    instead: 'there is no audit',
    breaks: ['wait'],
    profile: { ...QUIET, mode: 'shared', endsMute: true },
    config: { auditIntervalMs: 3_600_000 },
  },
  {
    rule: 'DL4',
    instead: 'nobody is told that the history is another one now',
    breaks: ['delivered'],
    profile: { ...LOG_TROUBLE, faults: { strand: 1 }, faultCount: 3 },
    parts: changedServer({
      folder: 'src/live',
      find: "      sockets.toConnectionHere(connectionId, 'session:forked', { sessionId: this.sessionId, epoch, head });\n    }\n    this.#company.members.clear();\n",
      replace: '      void [epoch, head, sockets, connectionId];\n    }\n',
    }),
  },
];
