import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

/** `[EO2] …` or `[EO2, ST4] …`, as names of tests begin. */
const QUOTE = /\[([A-Z]{2}\d+(?:, [A-Z]{2}\d+)*)\]/g;

const spec = readFileSync(path.join(ROOT, 'docs/spec.md'), 'utf8');
const rules = [...spec.matchAll(/^- \*\*(.+?)\*\*(?= )/gm)].map(([, id = '']) => id).filter((id) => /\d/.test(id));

function quotedRules(source: string): string[] {
  return [...source.matchAll(QUOTE)].flatMap(([, ids = '']) => ids.split(', '));
}

const testFiles = readdirSync(path.join(ROOT, 'tests'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(test|long|contract)\.ts$/.test(file))
  .filter((file) => !path.join(ROOT, 'tests', file).startsWith(__dirname));

test('rules are numbered from 1 within each group, each once', () => {
  const expected = ['EO', 'ST', 'SV', 'DL', 'AC', 'CL', 'LM'].flatMap((group) => {
    const count = rules.filter((id) => id.startsWith(group)).length;
    return Array.from({ length: count }, (_, index) => `${group}${index + 1}`);
  });
  expect(rules).toEqual(expected);
  expect(rules.length).toBeGreaterThan(30);
});

test('rules refer only to rules there are', () => {
  const mentioned = [...spec.matchAll(/\b(?:EO|ST|SV|DL|AC|CL|LM)\d+\b/g)].map(([id]) => id);
  expect(mentioned.filter((id) => !rules.includes(id))).toEqual([]);
});

test('tests quote only rules there are', () => {
  const unknown = testFiles.flatMap((file) =>
    quotedRules(readFileSync(path.join(ROOT, 'tests', file), 'utf8'))
      .filter((id) => !rules.includes(id))
      .map((id) => `${file}: [${id}]`),
  );
  expect(unknown).toEqual([]);
});

test('every rule of one process is quoted by a test', () => {
  const ofSeveralProcesses = new Set([...spec.matchAll(/^- \*\*(\w+)\*\* ⇄/gm)].map(([, id]) => id));
  const quoted = new Set(
    testFiles.flatMap((file) => quotedRules(readFileSync(path.join(ROOT, 'tests', file), 'utf8'))),
  );
  expect(rules.filter((id) => !quoted.has(id) && !ofSeveralProcesses.has(id))).toEqual([]);
});

test('a quote is recognised where there is one', () => {
  expect(quotedRules("test('[EO2] a', …); test('[ST1, ST2] b', …); row[0]; [A1]")).toEqual(['EO2', 'ST1', 'ST2']);
});
