// npm run examples: the pages of examples/, with a server for their documents, which end with it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createFlow } from '../src/flow';
import { bundlePages } from './example-pages';

const DEFAULT_PORT = 3002;

export interface Examples {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves the pages given, or all, on this machine only. Port 0 takes a free one. */
export async function startExamples({ port, names }: { port: number; names?: readonly string[] }): Promise<Examples> {
  const files = await bundlePages(names);
  const app = express();
  app.get('/', (_request, response) => void response.send(listOf([...files.keys()])));
  app.get('/favicon.ico', (_request, response) => void response.status(204).end());
  app.get('/:name', (request, response, next) => {
    const file = files.get(request.params.name);
    if (file) response.type(file.mediaType).send(Buffer.from(file.content));
    else next();
  });
  const httpServer = createServer(app);
  const flow = createFlow({ httpServer, config: { documentStore: 'memory' } });
  app.use(flow.router);
  await flow.start();
  httpServer.listen(port, '127.0.0.1');
  await once(httpServer, 'listening');
  return {
    url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`,
    async stop() {
      await flow.stop();
      httpServer.closeAllConnections();
      httpServer.close();
    },
  };
}

function listOf(files: readonly string[]): string {
  const links = files
    .filter((file) => file.endsWith('.html'))
    .map((file) => `<li><a href="${file}">${file.replace('.html', '')}</a></li>`);
  return `<!doctype html><html lang="en"><title>Examples</title><link rel="stylesheet" href="example.css"><h1>Examples</h1><ul>${links.join('')}</ul></html>`;
}

async function main(): Promise<void> {
  const examples = await startExamples({ port: Number(process.env.PORT ?? DEFAULT_PORT) });
  console.log(`Examples on ${examples.url}; Ctrl+C ends them and their documents`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void examples.stop());
}

if (require.main === module) void main();
