import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');
const GUIDE = readFileSync(path.join(ROOT, 'docs/clients.md'), 'utf8');

const blocksOf = (language: string): string[] =>
  [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block]) => block ?? '');

/** What the application around a snippet has; of these, a snippet declares itself what it uses. */
const SURROUNDINGS: Readonly<Record<string, string>> = {
  client: 'declare const client: FlowClient;',
  provider: 'declare const provider: FlowYjsProvider;',
  session: 'declare const session: FlowSession;',
  sessionId: 'declare const sessionId: string;',
  url: 'declare const url: string;',
  token: 'declare const token: string;',
  userId: 'declare const userId: string;',
  editor: 'declare const editor: { setReadOnly(isReadOnly: boolean): void };',
  show: 'declare function show(text: string): void;',
  fetchToken: 'declare function fetchToken(): Promise<string>;',
  apply: 'declare function apply(operations: readonly unknown[]): void;',
  begin: 'declare function begin(content: unknown): void;',
  takeBack: 'declare function takeBack(entries: readonly DeliveredEntry[]): void;',
};

const IMPORTS = `import {
  FlowClient, FlowYjsProvider, IndexedDbStorage, type DeliveredEntry, type FlowSession, type SessionStatus,
} from 'flow-backend/client';
import * as Y from 'yjs';
`;

function programOf(snippet: string): string {
  const needed = Object.entries(SURROUNDINGS)
    .filter(([name]) => !new RegExp(`\\bconst (?:\\{ )?${name}\\b`).test(snippet))
    .map(([, declaration]) => declaration);
  return [IMPORTS, ...needed, snippet, 'export {};'].join('\n');
}

/** What the compiler says of the programs, as lines. */
function compile(programs: readonly string[]): string {
  // Inside the repository, so that the package finds itself by its name.
  mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
  const folder = mkdtempSync(path.join(ROOT, 'dist/snippets-'));
  try {
    for (const [index, program] of programs.entries()) writeFileSync(path.join(folder, `snippet-${index}.ts`), program);
    const settings = { extends: '../../src/web/tsconfig.json', compilerOptions: { rootDir: '../..' }, include: ['.'] };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    return spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' }).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('every snippet of the guide compiles against the client library as it is built', () => {
  const snippets = blocksOf('ts');
  expect(snippets.length).toBeGreaterThan(3);
  expect(compile(snippets.map(programOf))).toBe('');
});

test('a snippet that calls what is not there does not compile', () => {
  expect(compile([programOf("provider.on('safed', () => show('saved'));")])).toContain('safed');
});

test('every page in the guide is one of the examples, which are run in a browser', () => {
  const folder = path.join(ROOT, 'examples');
  const pages = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'));
  const inGuide = blocksOf('html');
  expect(inGuide).not.toEqual([]);
  for (const page of inGuide) expect(pages).toContain(page);
});
