import { FlowError } from '../protocol/errors';
import { GENESIS, type Mark } from '../protocol/positions';
import type { Snapshot } from '../storage/snapshots';
import { serveSession } from './admission';
import { endpoints } from './endpoints';
import { follow, type Followed } from './followed';
import type { HttpServices } from './http-services';
import type { Route } from './serve';

const JSON_TYPE = 'application/json; charset=utf-8';

/** GET /api/sessions/:sessionId/document. */
export function documentRoutes({ documents, folder, authorisation }: HttpServices): Route[] {
  return [
    serveSession(authorisation, endpoints.readDocument, async ({ session, query: { as, field } }) => {
      const { sessionId } = session;
      const isYjs = session.format === 'yjs';
      if (!isYjs && as !== undefined && as !== 'json') {
        throw new FlowError('BAD_REQUEST', `as: a json session has no ${as}; ask for as=json.`);
      }
      const { snapshot, entries } = await documents.source(sessionId);
      const followed = follow(snapshot?.at ?? GENESIS, entries);
      if (!isYjs) return { kind: 'stream', mediaType: JSON_TYPE, chunks: jsonDocument(snapshot, followed) };

      const source = { snapshot: snapshot?.payload ?? null, entries: followed };
      switch (as) {
        case 'update': {
          const content = await folder.toUpdate(source);
          return {
            kind: 'raw',
            mediaType: 'application/octet-stream',
            content,
            headers: positionHeaders(followed.at, as),
          };
        }
        case 'json': {
          // JSON text goes through as it is: parsing a large document here would hold up everyone.
          const json = await folder.toJson(source, field);
          const content = `{"head":${JSON.stringify(followed.at)},"field":${JSON.stringify(field)},"content":${json}}`;
          return { kind: 'raw', mediaType: JSON_TYPE, content, headers: positionHeaders(followed.at, `json-${field}`) };
        }
        case 'text':
        case undefined: {
          const content = await folder.toText(source, field);
          const mediaType = 'text/plain; charset=utf-8';
          return { kind: 'raw', mediaType, content, headers: positionHeaders(followed.at, `text-${field}`) };
        }
      }
    }),
  ];
}

/** Equal tags mean equal histories, so a tag names the document; weak, because an update's bytes may still differ. */
function positionHeaders({ seq, tag }: Mark, variant: string): Record<string, string> {
  return {
    'Flow-Seq': String(seq),
    'Flow-Tag': tag,
    ETag: `W/"${seq}-${tag}-${encodeURIComponent(variant)}"`,
    'Cache-Control': 'private, no-cache',
  };
}

/** A document without a format of ours: what its clients stored last, and every operation since. */
async function* jsonDocument(snapshot: Snapshot | null, followed: Followed): AsyncGenerator<string> {
  const payload = snapshot ? Buffer.from(snapshot.payload).toString() : '';
  const { seq, tag } = followed.at;
  const kept = snapshot ? `{"seq":${seq},"tag":${JSON.stringify(tag)},"payload":${payload}}` : 'null';
  let before = `{"snapshot":${kept},"operations":[`;
  for await (const page of followed) {
    // Each entry holds its operations as the text of a JSON array.
    yield before + page.map(({ operations }) => operations.slice(1, -1)).join(',');
    before = ',';
  }
  const isEmpty = before !== ',';
  yield `${isEmpty ? before : ''}],"head":${JSON.stringify({ seq: followed.at.seq, tag: followed.at.tag })}}`;
}
