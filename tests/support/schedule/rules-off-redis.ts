import { LATE_ADMISSION, LOG_TROUBLE, QUIET, RESENDING } from './profiles';
import type { SourceChange } from './changed-source';
import { DELIVERY_RULES_OFF } from './rules-off-delivery';
import { STORE_RULES_OFF } from './rules-off-store';
import type { RuleOff } from './rule-off';

/** A rule switched off where the order is in Redis. */
export interface RedisRuleOff extends RuleOff {
  /** In the scripts and what calls them. */
  readonly inRedis?: readonly SourceChange[];
}

const inOrdering = (find: string, replace: string): SourceChange => ({ folder: 'src/ordering', find, replace });

/** What the scripts themselves see to. */
const IN_SCRIPTS: readonly RedisRuleOff[] = [
  {
    rule: 'EO2',
    instead: 'a batch that comes again is accepted again, under the next numbers',
    breaks: ['unique'],
    profile: RESENDING,
    inRedis: [
      inOrdering(
        'local clientSeq = first + count - 1\n',
        'if first <= lastSeq then first = lastSeq + 1 end\nlocal clientSeq = first + count - 1\n',
      ),
    ],
  },
  {
    rule: 'EO4',
    instead: 'a base is not compared with the head',
    breaks: ['base'],
    profile: { ...QUIET, mode: 'shared', sessions: ['json'], authors: ['submits', 'proposes', 'proposes'] },
    inRedis: [inOrdering("if ARGV[8] ~= '' and (", 'if false and (')],
  },
  {
    rule: 'EO7',
    instead: 'appends and admissions go to whatever epoch the hot log has',
    breaks: ['unique'],
    profile: LATE_ADMISSION,
    inRedis: [
      inOrdering(
        "if meta[1] ~= epoch then return {'wrong-epoch'} end",
        "if not meta[1] then return {'wrong-epoch'} end\nepoch = meta[1]",
      ),
      inOrdering('if meta[1] ~= ARGV[1] then return false end', 'if not meta[1] then return false end'),
    ],
  },
  {
    rule: 'EO11',
    instead: 'a join does not bring the row of a client into the hot log',
    breaks: ['unique', 'order', 'complete'],
    profile: { ...LOG_TROUBLE, faults: { vanish: 1 }, faultCount: 5, cutCount: 4 },
    inRedis: [inOrdering("local stored = ARGV[3] ~= '' and ARGV[3] or '0:0:0::'", "local stored = '0:0:0::'")],
  },
  {
    rule: 'SV2',
    instead: 'the hot log is trimmed beyond what is saved',
    breaks: ['saved'],
    profile: { ...LOG_TROUBLE, faults: { 'stall saves': 2, kill: 1 } },
    inRedis: [
      inOrdering(
        "'epoch', 'seq', 'savedSeq')\nif meta[1] ~= ARGV[1] or",
        "'epoch', 'seq', 'savedSeq', 'tag')\nARGV[2], ARGV[3] = meta[2], meta[4]\nif meta[1] ~= ARGV[1] or",
      ),
    ],
  },
];

/** What the server sees to around them, where the schedules can have a shared order; as strict with the order in Redis as in a model of it. */
const AROUND: readonly RedisRuleOff[] = [...STORE_RULES_OFF, ...DELIVERY_RULES_OFF]
  .filter(({ profile: { mode } }) => mode !== 'process')
  .filter(({ rule }) => !['ST10', 'SV2', 'ST3'].includes(rule))
  .map((ruleOff) => ({ ...ruleOff, profile: { ...ruleOff.profile, mode: 'shared' as const } }));

export const REDIS_RULES_OFF: readonly RedisRuleOff[] = [...IN_SCRIPTS, ...AROUND];
