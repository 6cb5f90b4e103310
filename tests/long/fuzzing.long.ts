import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzz, harmOf, type FuzzReport } from '../support/fuzz/run';
import { Processes, ROOT } from '../support/server-process';

const ACTS = 100_000;

const processes = new Processes();
afterEach(() => processes.clean());

test(`seed 2026: ${ACTS} hostile acts by members: the server lives and complains of nothing, and two editors go on`, async () => {
  const report = await fuzz(processes, 2026, ACTS);
  writeFileSync(join(ROOT, 'docs/reports/fuzzing.md'), textOf(report));
  expect(harmOf(report)).toEqual([]);
});

function textOf({ seed, acts, answers, strokes, seconds, residentMegabytes, faults }: FuzzReport): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const rows = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `| ${name} | ${count} |`)
      .join('\n');
  const { before, most, after } = residentMegabytes;
  return `# Fuzzing

Written by \`npm run test:long -- fuzzing\` itself: seed ${seed}, commit ${commit}, Node ${process.version}, ${seconds} seconds.

Eight members of a session send whatever can be sent, one thing after the other: damaged and sound Yjs updates, requests
with anything in them, packets of Engine.IO and Socket.IO, bytes in the place of WebSocket frames, bytes in the place of HTTP requests. They
come back whenever they are thrown out. Meanwhile two editors write into the same document.

| what was done | times |
| --- | --- |
${rows(acts)}

| what came of it | times |
| --- | --- |
| accepted | ${answers.ok} |
${rows(answers.refused)}
| the connection was ended | ${answers.cutOff} |
| no answer within 5 s | ${answers.silent} |

- Faults of the server (log lines of level error and above, an exit code other than 0): ${faults.length === 0 ? 'none' : faults.join('; ')}.
- ${strokes} strokes of the editors: both, a latecomer and the server (\`GET …/document\`) have the same text; every root of the document can be read as text and as JSON.
- Resident memory of the server: ${before} MB after a thousand acts, ${most} MB at most, ${after} MB at the end.

What it does not measure: how long honest requests take meanwhile, and what rate limits do about it.
`;
}
