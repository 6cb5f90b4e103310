import request, { type Response } from 'supertest';
import * as Y from 'yjs';
import { endpoints, errorsOf, nothing, type Endpoint, type EndpointName } from '../../src/http/endpoints';
import { errorReply } from '../../src/http/schemas';
import { ERRORS, type ErrorCode, type WireError } from '../../src/protocol/errors';
import type { TestServer } from '../support/server';

export interface CallOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  /** JSON text as it is, or what is written as JSON. */
  readonly body?: string | object;
  /** With AUTH_MODE=open: a name. */
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `name status` of every answer that was held against its schema. */
export const answered = new Set<string>();

/** Asks an endpoint and holds whatever it answers against what the endpoint promises. */
export async function call(server: TestServer, name: EndpointName, options: CallOptions = {}): Promise<Response> {
  const endpoint: Endpoint = endpoints[name];
  const test = request(server.url)[endpoint.method](pathOf(endpoint, options.params));
  if (options.query) test.query(options.query);
  if (options.as !== undefined) test.set('Authorization', `Bearer ${options.as}`);
  if (typeof options.body === 'string') test.set('Content-Type', 'application/json');
  if (options.headers) test.set(options.headers);
  const response = await (options.body === undefined ? test : test.send(options.body));
  answered.add(`${name} ${response.status}`);
  demandPromised(endpoint, response);
  return response;
}

function pathOf({ path }: Endpoint, params: CallOptions['params'] = {}): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

function demandPromised(endpoint: Endpoint, response: Response): void {
  expect(response.headers['x-content-type-options']).toBe('nosniff');
  expect(response.headers).not.toHaveProperty('x-powered-by');
  if (!Object.hasOwn(endpoint.statuses, response.status)) {
    const { code } = errorOf(response);
    expect(ERRORS[code].httpStatus).toBe(response.status);
    expect(errorsOf(endpoint)).toContain(code);
    return;
  }
  for (const header of Object.keys(endpoint.replyHeaders)) {
    // A streamed document says where it is in its body.
    if (response.headers['transfer-encoding'] !== 'chunked')
      expect(response.headers).toHaveProperty(header.toLowerCase());
  }
  if (response.status === 304) return;
  const mediaType = response.type;
  if (mediaType === 'application/json' && endpoint.reply !== nothing) endpoint.reply.parse(response.body);
  else if (mediaType === '') expect([endpoint.reply, endpoint.otherMedia]).toEqual([nothing, {}]);
  else expect(Object.keys(endpoint.otherMedia)).toContain(mediaType);
}

/** The refusal in a response, which must be one in every respect. */
export function errorOf(response: Response): WireError {
  const { error } = errorReply.parse(response.body);
  expect(error.action).toBe(ERRORS[error.code].action);
  if (error.retryAfterMs !== undefined) {
    expect(response.headers['retry-after']).toBe(String(Math.ceil(error.retryAfterMs / 1_000)));
  }
  return error as WireError;
}

export async function expectRefusal(asked: Promise<Response>, code: ErrorCode): Promise<WireError> {
  const error = errorOf(await asked);
  expect(error.code).toBe(code);
  return error;
}

/** A session of format yjs unless said otherwise; answers its id. */
export async function createSession(
  server: TestServer,
  body: { sessionId?: string; title?: string; format?: 'yjs' | 'json' } = {},
  as?: string,
): Promise<string> {
  const response = await call(server, 'createSession', { body, ...(as === undefined ? {} : { as }) });
  expect(response.status).toBe(201);
  return (response.body as { session: { sessionId: string } }).session.sessionId;
}

/** Edits a Y.Doc and answers the updates that made it so, as operations. */
export function yjsOperations(edit: (doc: Y.Doc) => void, doc = new Y.Doc()): string[] {
  const operations: string[] = [];
  const keep = (update: Uint8Array) => operations.push(Buffer.from(update).toString('base64'));
  doc.on('update', keep);
  edit(doc);
  doc.off('update', keep);
  return operations;
}
