import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { ERRORS, type FlowError } from '../protocol/errors';
import type { Endpoint } from './endpoints';
import type { Answer } from './serve';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Writes an answer. Nothing is kept by caches unless the answer says so. */
export async function send(endpoint: Endpoint, answer: Answer, request: Request, response: Response): Promise<void> {
  response.status(answer.status ?? usualStatusOf(endpoint));
  response.set({ 'Cache-Control': 'no-store', ...answer.headers });
  switch (answer.kind) {
    case 'empty':
      response.end();
      return;
    case 'json':
      sendText(response, JSON_TYPE, JSON.stringify(answer.value));
      return;
    case 'raw':
      sendText(response, answer.mediaType, answer.content);
      return;
    case 'stream':
      return sendStream(answer, request, response);
  }
}

export function sendRefusal(
  response: Response,
  error: FlowError,
  status: number = ERRORS[error.code].httpStatus,
): void {
  const { retryAfterMs } = error.details;
  response.status(status).set('Cache-Control', 'no-store');
  if (retryAfterMs !== undefined) response.set('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  if (error.code === 'UNAUTHENTICATED') response.set('WWW-Authenticate', 'Bearer');
  sendText(response, JSON_TYPE, JSON.stringify({ error: error.toWire() }));
}

function usualStatusOf({ statuses }: Endpoint): number {
  const [usual] = Object.keys(statuses);
  return Number(usual);
}

/** Express answers HEAD without, and If-None-Match with 304. */
function sendText(response: Response, mediaType: string, content: string | Uint8Array): void {
  response.set('Content-Type', mediaType);
  response.send(
    typeof content === 'string' ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength),
  );
}

async function sendStream(
  { mediaType, chunks }: Extract<Answer, { kind: 'stream' }>,
  request: Request,
  response: Response,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  // What cannot even begin is still refused with a status of its own.
  const first = await iterator.next();
  response.set('Content-Type', mediaType);
  if (request.method === 'HEAD' || first.done) {
    await iterator.return?.();
    response.end();
    return;
  }
  await pipeline(Readable.from(continued(first.value, iterator)), response);
}

async function* continued(first: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
