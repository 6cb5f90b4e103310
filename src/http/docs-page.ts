import { hash } from 'node:crypto';
import { z } from 'zod';
import { contentPolicy } from '../lib/secure-headers';
import { ERRORS } from '../protocol/errors';
import { errorsOf, nothing, type Endpoint } from './endpoints';
import { escape } from './html';
import { namedEndpoints } from './openapi';
import { errorCodes } from './schemas';

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2330; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; font-size: 1.1rem; } h3 { font-size: 0.95rem; margin-bottom: 0.2rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } h2 code { font-size: 1.05rem; }
pre { background: #f4f5f8; padding: 0.75rem; overflow-x: auto; border-radius: 6px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.2rem 0.9rem 0.2rem 0; vertical-align: top; }
`;

/** Nothing but this page's own style: no scripts, no frames, no loading from anywhere. */
export const DOCS_CONTENT_POLICY = contentPolicy({ 'style-src': [`'sha256-${hash('sha256', STYLE, 'base64')}'`] });

/** The endpoints as a page to read, from the same schemas as everything else. */
export function docsPage(version: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Flow Backend: HTTP</title><style>${STYLE}</style></head>
<body>
<h1>Flow Backend ${escape(version)}: HTTP</h1>
<p>The same as <a href="openapi.json">openapi.json</a>. Callers show who they are by <code>Authorization: Bearer …</code>.
Every refusal is <code>{ "error": { code, message, action, … } }</code>; programs obey <code>action</code>.</p>
${namedEndpoints()
  .map(([, endpoint]) => section(endpoint))
  .join('\n')}
<h2>Error codes</h2>
${table(['code', 'meaning', 'status', 'action'], errorCodes.map(errorRow))}
</body>
</html>
`;
}

function section(endpoint: Endpoint): string {
  const { method, path, summary, query, body, reply, statuses, otherMedia, replyHeaders } = endpoint;
  return [
    `<h2><code>${method.toUpperCase()} ${escape(path)}</code></h2>`,
    `<p>${escape(summary)}</p>`,
    Object.keys(query.shape).length === 0 ? '' : `<h3>Query</h3>${schemaBlock(query)}`,
    body === nothing ? '' : `<h3>Body</h3>${schemaBlock(body)}`,
    `<h3>Reply</h3>${table(['status', 'when'], Object.entries(statuses))}`,
    reply === nothing ? '' : schemaBlock(reply),
    table(['or, as', ''], Object.entries(otherMedia)),
    table(['header', ''], Object.entries(replyHeaders)),
    `<p>Refusals: ${errorsOf(endpoint)
      .map((code) => `<code>${code}</code>`)
      .join(' ')}</p>`,
  ].join('');
}

const errorRow = (code: (typeof errorCodes)[number]): string[] => {
  const { meaning, httpStatus, action } = ERRORS[code];
  return [code, meaning, String(httpStatus), action];
};

function schemaBlock(schema: z.ZodType): string {
  const described = z.toJSONSchema(schema, { target: 'openapi-3.0' });
  return `<pre>${escape(JSON.stringify(described, null, 2))}</pre>`;
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table>`;
}
