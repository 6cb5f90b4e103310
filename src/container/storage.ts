import { asFunction } from 'awilix';
import type { DocumentFolder } from '../storage/document-folder';
import type { DocumentStore } from '../storage/document-store';
import { LmdbDocumentStore } from '../storage/lmdb/lmdb-document-store';
import { MemoryDocumentStore } from '../storage/memory/memory-document-store';
import { PiscinaDocumentFolder } from '../storage/piscina-document-folder';
import type { GivenCradle } from './given';
import type { Registrations } from './registrations';

export interface StorageCradle {
  readonly store: DocumentStore;
  readonly folder: DocumentFolder;
}

export const storageRegistrations: Registrations<StorageCradle> = {
  store: asFunction(chooseStore).singleton(),
  folder: asFunction(({ log, clock }: GivenCradle) => new PiscinaDocumentFolder({ log, clock })).singleton(),
};

function chooseStore({ given, config, log }: GivenCradle): DocumentStore {
  if (given.store) return given.store;
  switch (config.documentStore) {
    case 'memory':
      return new MemoryDocumentStore();
    case 'lmdb':
      return new LmdbDocumentStore({ directory: config.documentDir, durability: config.documentDurability, log });
  }
}
