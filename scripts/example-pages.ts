// The pages of examples/ as a browser takes them: the script in each is bundled, everything else is left as it is.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';

const EXAMPLES = path.join(__dirname, '../examples');
const SCRIPT = /<script type="module">\n([\s\S]*?)<\/script>/;
const MONACO_WORKER = 'monaco-editor/esm/vs/editor/editor.worker.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
};

export interface ServedFile {
  readonly mediaType: string;
  readonly content: string | Uint8Array;
}

export const pageNames = (): string[] =>
  readdirSync(EXAMPLES)
    .filter((name) => name.endsWith('.html'))
    .map((name) => path.basename(name, '.html'));

/** Every file the pages need, by its name. */
export async function bundlePages(names: readonly string[] = pageNames()): Promise<Map<string, ServedFile>> {
  const sources = new Map(names.map((name) => [name, readFileSync(path.join(EXAMPLES, `${name}.html`), 'utf8')]));
  const { outputFiles } = await build({
    entryPoints: [
      ...names.map((name) => ({ in: `script-of:${name}`, out: name })),
      ...(names.includes('monaco') ? [{ in: MONACO_WORKER, out: 'monaco-worker' }] : []),
    ],
    plugins: [scriptsOf(sources)],
    absWorkingDir: path.dirname(EXAMPLES),
    outdir: EXAMPLES,
    write: false,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    loader: { '.ttf': 'file' },
    assetNames: '[name]',
    logLevel: 'error',
  });

  const files = new Map<string, ServedFile>();
  const add = (name: string, content: ServedFile['content']): void => {
    files.set(name, { mediaType: MEDIA_TYPES[path.extname(name)] ?? 'application/octet-stream', content });
  };
  for (const { path: file, contents } of outputFiles) add(path.basename(file), contents);
  for (const [name, source] of sources) add(`${name}.html`, withBundle(name, source, files.has(`${name}.css`)));
  add('example.css', readFileSync(path.join(EXAMPLES, 'example.css')));
  return files;
}

function withBundle(name: string, source: string, hasStyle: boolean): string {
  const style = hasStyle ? `<link rel="stylesheet" href="${name}.css">\n` : '';
  return source.replace(SCRIPT, `${style}<script type="module" src="${name}.js"></script>`);
}

/** Takes the scripts out of the pages. */
function scriptsOf(sources: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'scripts of pages',
    setup(pages) {
      pages.onResolve({ filter: /^script-of:/ }, ({ path: entry }) => ({
        path: entry.slice(entry.indexOf(':') + 1),
        namespace: 'page',
      }));
      pages.onLoad({ filter: /.*/, namespace: 'page' }, ({ path: name }) => ({
        contents: SCRIPT.exec(sources.get(name) ?? '')?.[1] ?? '',
        resolveDir: EXAMPLES,
        loader: 'js',
      }));
    },
  };
}
