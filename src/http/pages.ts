import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { escape } from './html';

/** Where each page is; `npm run build` makes one of every folder of src/web/ with a page.html. */
const PAGES = {
  home: '/',
  editor: '/s/:sessionId',
  status: '/status',
} as const;

export interface PagesOptions {
  /** `open`: callers give a name; `token`: they show a token. */
  readonly auth: 'open' | 'token';
  /** Path of the Socket.IO endpoint. */
  readonly socketPath: string;
  readonly version: string;
}

/** What a page is told of the server that serves it; src/web/settings.ts reads it. */
export interface PageSettings extends Pick<PagesOptions, 'auth' | 'socketPath' | 'version'> {
  /** Where the pages, and with them the API, are mounted; empty at the root. */
  readonly base: string;
  /** For the styles that the editor makes while it runs. */
  readonly nonce: string;
}

/** Where `npm run build` puts the pages, seen from dist/src/http/ and from src/http/. */
const BUILT_FOLDERS = [join(__dirname, '../../web'), join(__dirname, '../../dist/web')];
const NONCE_BYTES = 16;
/** Names of assets carry a hash of their content: what is behind one never changes. */
const FOREVER = 'public, max-age=31536000, immutable';
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
/** In order of preference, by what a name then ends with. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/**
 * The pages for people: to be mounted where the API is. Everything a page loads comes from the server that served it; no script and no style in the
 * HTML runs but those that carry the nonce of this very answer.
 */
export function createPages({ auth, socketPath, version }: PagesOptions): Router {
  const folder = BUILT_FOLDERS.find((place) => existsSync(join(place, 'pages')));
  if (folder === undefined) throw new Error('The pages are not built: npm run build.');
  const router = express.Router();
  for (const [name, path] of Object.entries(PAGES)) {
    const html = readFileSync(join(folder, 'pages', `${name}.html`), 'utf8');
    router.get(path, (request, response) => {
      const settings = {
        auth,
        socketPath,
        version,
        base: request.baseUrl,
        nonce: randomBytes(NONCE_BYTES).toString('base64'),
      };
      sendPage(html, settings, response);
    });
  }
  return router.get('/assets/:file', sendAsset(readAssets(join(folder, 'assets'))));
}

function sendPage(html: string, settings: PageSettings, response: Response): void {
  response.set({
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy(settings.nonce),
    'X-Content-Type-Options': 'nosniff',
    // An address of a document is what lets people in.
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  });
  response.send(
    html.replaceAll('{{base}}', escape(settings.base)).replaceAll('{{settings}}', escape(JSON.stringify(settings))),
  );
}

/** Scripts, styles and connections of this server only. Pictures may be in the page itself: the icon is. */
const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

type Asset = ReadonlyMap<(typeof ENCODINGS)[number][0] | 'identity', Buffer>;

function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const files = readdirSync(folder).filter((file) => Object.hasOwn(MEDIA_TYPES, extname(file)));
  return new Map(
    files.map((file) => {
      const read = (ending: string): Buffer => readFileSync(join(folder, file + ending));
      return [
        file,
        new Map([['identity', read('')], ...ENCODINGS.map(([name, ending]) => [name, read(ending)] as const)]),
      ];
    }),
  );
}

const sendAsset =
  (assets: ReadonlyMap<string, Asset>): RequestHandler<{ file: string }> =>
  (request, response, next) => {
    const { file } = request.params;
    const asset = assets.get(file);
    if (!asset) return next();
    const encoding = encodingFor(request);
    response.set({
      'Content-Type': MEDIA_TYPES[extname(file)],
      'Cache-Control': FOREVER,
      'X-Content-Type-Options': 'nosniff',
      Vary: 'Accept-Encoding',
    });
    if (encoding !== 'identity') response.set('Content-Encoding', encoding);
    response.end(asset.get(encoding));
  };

function encodingFor(request: Pick<Request, 'acceptsEncodings'>): (typeof ENCODINGS)[number][0] | 'identity' {
  return ENCODINGS.find(([name]) => request.acceptsEncodings(name) !== false)?.[0] ?? 'identity';
}
