/** What the server that served this page says of itself; src/http/pages.ts writes it. */
export interface Settings {
  /** `open`: callers give a name; `token`: they show a token. */
  readonly auth: 'open' | 'token';
  /** Where the pages, and with them the API, are mounted; empty at the root. */
  readonly base: string;
  /** Path of the Socket.IO endpoint. */
  readonly socketPath: string;
  /** For styles that are made while the page runs. */
  readonly nonce: string;
  readonly version: string;
}

export const settings: Settings = read();

function read(): Settings {
  const meta = document.querySelector('meta[name="flow-settings"]');
  return JSON.parse(meta?.getAttribute('content') ?? '') as Settings;
}
