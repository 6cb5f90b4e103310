import { DOCS_CONTENT_POLICY, docsPage } from './docs-page';
import { endpoints } from './endpoints';
import { openApiDocument, serversOf } from './openapi';
import { serve, type Route } from './serve';

/** GET /openapi.json, /docs. */
export function referenceRoutes({ version }: { version: string }): Route[] {
  // Made once: it takes some twenty milliseconds, and anybody may ask.
  const page = docsPage(version);
  const description = openApiDocument({ version, mountPath: '' });
  return [
    serve(endpoints.openApi, ({ mountPath }) => ({
      kind: 'raw',
      mediaType: 'application/json; charset=utf-8',
      content: JSON.stringify({ ...description, servers: serversOf(mountPath) }),
    })),
    serve(endpoints.docs, () => ({
      kind: 'raw',
      mediaType: 'text/html; charset=utf-8',
      content: page,
      headers: { 'Content-Security-Policy': DOCS_CONTENT_POLICY },
    })),
  ];
}
