import { copyFile, mkdir, readdir, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { health, readiness } from '../../src/http/schemas';
import { silentLogger } from '../../src/lib/logger';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { useDirectories, useServers, type TestServer } from '../support/server';
import { ask } from '../support/server-process';
import { storedEntries } from '../support/stores';
import type { WireClient } from '../support/wire-client';

const directory = useDirectories();
const start = useServers();

const SESSION = { sessionId: 'notes' };

/** A server with one saved operation, and its author. */
async function startSaved() {
  const documentDir = await directory();
  const { lines, log } = logLines();
  const server = await start({ documentDir, log, config: { stopDeadlineMs: 1_000, saveStallMs: 60_000 } });
  const client = await server.connect({ user: 'ada' });
  await client.demand('session:create', { ...SESSION, format: 'json' });
  await client.demand('session:join', SESSION);
  await submit(client, 1);
  await client.next('operation:saved');
  return { documentDir, lines, server, client };
}

const submit = (client: WireClient, clientSeq: number) =>
  client.demand('operation:submit', { ...SESSION, clientSeq, operations: [`op-${clientSeq}`] });

const savedUpTo = (client: WireClient): number[] => client.all('operation:saved').map(({ saved }) => saved);

const readinessOf = async ({ url }: TestServer) => {
  const { status, body } = await ask(`${url}/health/ready`, readiness);
  return { status, reasons: body.reasons.map(({ code }) => code) };
};

const operationsIn = async (store: LmdbDocumentStore): Promise<string[]> =>
  (await storedEntries(store, SESSION.sessionId)).map(({ operations }) => operations);

/** What Linux still has of a deleted store under a descriptor of this process. */
async function copyOfDeleted(documentDir: string, target: string): Promise<void> {
  const descriptors = await readdir('/proc/self/fd');
  for (const descriptor of descriptors) {
    const name = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
    if (name === `${join(documentDir, 'documents.mdb')} (deleted)`) {
      await copyFile(`/proc/self/fd/${descriptor}`, join(target, 'documents.mdb'));
      return;
    }
  }
  throw new Error(`no descriptor of a deleted store among ${descriptors.length}`);
}

test('[ST7] a store that is deleted under the server fails at once: nothing more is called saved, and what it had can be copied', async () => {
  const { documentDir, lines, server, client } = await startSaved();
  await rm(documentDir, { recursive: true });
  await submit(client, 2);
  expect(await readinessOf(server)).toEqual({ status: 503, reasons: ['store-missing'] });
  await eventually('the store has refused', async () => {
    const { status, body } = await ask(`${server.url}/health`, health);
    expect({ status, store: body.store }).toMatchObject({
      status: 503,
      store: {
        status: 'failing',
        unsavedSessions: 1,
        failure: expect.stringContaining('was deleted, moved or replaced'),
      },
    });
  });
  expect(savedUpTo(client)).toEqual([1]);
  expect(lines.filter(({ level, msg }) => level === 50 && msg.includes('was deleted, moved or replaced'))).toHaveLength(
    1,
  );
  // Nobody is told of a session that would be nowhere.
  expect(await client.refusal('session:create', { format: 'json' })).toMatchObject({ code: 'STORE_UNAVAILABLE' });

  const rescue = await directory();
  await copyOfDeleted(documentDir, rescue);
  expect(await server.stop()).toEqual({ unsavedSessions: [SESSION.sessionId] });
  // No new store has taken its place.
  await expect(readdir(documentDir)).rejects.toThrow('ENOENT');
  const store = new LmdbDocumentStore({ directory: rescue, durability: 'fsync', log: silentLogger });
  await store.start();
  expect(await operationsIn(store)).toEqual(['["op-1"]']);
  await store.stop();
});

test('[ST7] a store that is moved away fails until it is back, or as long as another one is in its place', async () => {
  const { documentDir, lines, server, client } = await startSaved();
  const aside = join(await directory(), 'aside');
  await rename(documentDir, aside);
  await submit(client, 2);
  expect(await readinessOf(server)).toEqual({ status: 503, reasons: ['store-missing'] });

  // The same content is not the same file: what is open is written elsewhere.
  await mkdir(documentDir);
  await copyFile(join(aside, 'documents.mdb'), join(documentDir, 'documents.mdb'));
  expect(await readinessOf(server)).toMatchObject({ status: 503 });
  expect(savedUpTo(client)).toEqual([1]);

  await rm(documentDir, { recursive: true });
  await rename(aside, documentDir);
  expect(await client.next('operation:saved')).toMatchObject({ saved: 2 });
  expect(await readinessOf(server)).toEqual({ status: 200, reasons: [] });
  expect(lines.filter(({ msg }) => msg === 'the file of the document store is back')).toHaveLength(1);
});
