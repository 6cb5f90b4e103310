// Bundles the pages for browsers into the directory given: every folder of src/web/ with a page.html is a page.
// assets/ gets scripts and styles with hashed names, each also compressed; pages/ the HTML that names them.

const { mkdirSync, readdirSync, readFileSync, writeFileSync, existsSync } = require('node:fs');
const path = require('node:path');
const { brotliCompressSync, constants, gzipSync } = require('node:zlib');
const esbuild = require('esbuild');

const ROOT = path.join(__dirname, '..');
const WEB = path.join(ROOT, 'src/web');
/** Runs before anything is painted, so that nobody who has chosen dark sees a flash of light. */
const THEME = 'theme';

const pages = () => readdirSync(WEB).filter((name) => existsSync(path.join(WEB, name, 'page.html')));

/** @param {string} outDir */
async function buildWeb(outDir) {
  const names = pages();
  const { metafile, outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries([
      [THEME, `src/web/${THEME}.ts`],
      ...names.map((name) => [name, `src/web/${name}/main.ts`]),
    ]),
    outdir: path.join(outDir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: 'shared-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    metafile: true,
    write: false,
  });
  mkdirSync(path.join(outDir, 'assets'), { recursive: true });
  mkdirSync(path.join(outDir, 'pages'), { recursive: true });
  for (const { path: file, contents } of outputFiles) {
    writeFileSync(file, contents);
    writeFileSync(`${file}.gz`, gzipSync(contents, { level: 9 }));
    writeFileSync(`${file}.br`, brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
  for (const name of names) {
    const html = readFileSync(path.join(WEB, name, 'page.html'), 'utf8');
    if (!html.includes('<!--head-->')) throw new Error(`src/web/${name}/page.html has no <!--head-->`);
    writeFileSync(path.join(outDir, 'pages', `${name}.html`), html.replace('<!--head-->', headOf(name, metafile)));
  }
}

/** What every page begins with. The server puts in what is in double braces. @param {string} name @param {esbuild.Metafile} metafile */
function headOf(name, metafile) {
  const page = outputOf(`src/web/${name}/main.ts`, metafile);
  const theme = outputOf(`src/web/${THEME}.ts`, metafile);
  const imported = importsOf(page.file, metafile);
  return [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<meta name="flow-settings" content="{{settings}}">',
    `<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(readFileSync(path.join(WEB, 'icon.svg'), 'utf8'))}">`,
    `<script src="${urlOf(theme.file)}"></script>`,
    ...(page.cssBundle ? [`<link rel="stylesheet" href="${urlOf(page.cssBundle)}">`] : []),
    ...imported.map((file) => `<link rel="modulepreload" href="${urlOf(file)}">`),
    `<script type="module" src="${urlOf(page.file)}"></script>`,
  ].join('\n');
}

/** Everything a script needs, also what it asks for later: the browser fetches it at once. @param {string} file @param {esbuild.Metafile} metafile */
function importsOf(file, { outputs }) {
  const found = new Set([file]);
  for (const each of found) for (const { path: imported } of outputs[each]?.imports ?? []) found.add(imported);
  found.delete(file);
  return [...found];
}

/** @param {string} source @param {esbuild.Metafile} metafile */
function outputOf(source, { outputs }) {
  const found = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source);
  if (!found) throw new Error(`nothing was built from ${source}`);
  const [file, output] = found;
  return { file, ...output };
}

/** @param {string} file */
const urlOf = (file) => `{{base}}/assets/${path.basename(file)}`;

buildWeb(process.argv[2] ?? path.join(ROOT, 'dist/web')).catch((fault) => {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exitCode = 1;
});
