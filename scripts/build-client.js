// Bundles the client library for browsers and Node, as ESM and as CommonJS, into the directory given.
// What it shares with the application (one copy of Yjs, say) stays outside; nothing else may come in.

const path = require('node:path');
const esbuild = require('esbuild');

const ROOT = path.join(__dirname, '..');
const SHARED_PACKAGES = ['socket.io-client', 'yjs', 'y-protocols', 'lib0'];

/** @param {string} outDir */
async function buildClient(outDir) {
  for (const [format, extension] of /** @type {const} */ ([
    ['esm', 'mjs'],
    ['cjs', 'cjs'],
  ])) {
    const { metafile } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: ['src/client/index.ts'],
      outfile: path.join(outDir, `index.${extension}`),
      format,
      bundle: true,
      platform: 'neutral',
      target: 'es2022',
      sourcemap: true,
      external: SHARED_PACKAGES,
      metafile: true,
    });
    const strangers = Object.keys(metafile.inputs).filter((input) => !/^src\/(client|protocol)\//.test(input));
    if (strangers.length > 0)
      throw new Error(`the client library must not take in ${strangers.slice(0, 5).join(', ')}`);
  }
}

buildClient(process.argv[2] ?? path.join(ROOT, 'dist/client')).catch((fault) => {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exitCode = 1;
});
