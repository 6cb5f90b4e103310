import { DOCS_CONTENT_POLICY, docsPage } from './docs-page';
import { endpoints } from './endpoints';
import { openApiDocument } from './openapi';
import { serve, type Route } from './serve';

/** GET /openapi.json, /docs. */
export function referenceRoutes({ version }: { version: string }): Route[] {
  const page = docsPage(version);
  return [
    serve(endpoints.openApi, ({ mountPath }) => ({
      kind: 'raw',
      mediaType: 'application/json; charset=utf-8',
      content: JSON.stringify(openApiDocument({ version, mountPath })),
    })),
    serve(endpoints.docs, () => ({
      kind: 'raw',
      mediaType: 'text/html; charset=utf-8',
      content: page,
      headers: { 'Content-Security-Policy': DOCS_CONTENT_POLICY },
    })),
  ];
}
