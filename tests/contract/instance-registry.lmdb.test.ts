import { rm } from 'node:fs/promises';
import type { Instance } from '../../src/instances/instance';
import { InstanceRegistry } from '../../src/instances/instance-registry';
import { type Clock, systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import type { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { lmdbStore, temporaryDirectory } from '../support/stores';
import { expectNothingUnhandled } from '../support/unhandled';
import {
  type IsGone,
  instanceRegistryContract,
  LEASE_MS,
  type RegistryBackend,
  RENEW_MS,
} from './instance-registry.contract';

/** Registries on one store file, with one clock. */
class Registries implements RegistryBackend {
  readonly #directory: string;
  readonly #store: LmdbDocumentStore;
  readonly #clock: Clock;
  #passedMs = 0;
  readonly #killed = new Set<InstanceRegistry>();

  static async start(): Promise<Registries> {
    const registries = new Registries(await temporaryDirectory());
    await registries.#store.start();
    return registries;
  }

  private constructor(directory: string) {
    this.#directory = directory;
    this.#store = lmdbStore(directory, { durability: 'buffered' });
    this.#clock = { ...systemClock, now: () => Date.now() + this.#passedMs };
  }

  async registry(
    describe: () => Instance,
    isGone: IsGone = () => false,
    renewMs = RENEW_MS,
  ): Promise<InstanceRegistry> {
    const leases = this.#store.instanceLeases(this.#clock);
    const dead = async (): Promise<never> => {
      throw new Error('killed');
    };
    const registry: InstanceRegistry = new InstanceRegistry({
      leases: {
        hold: (claim) => (this.#killed.has(registry) ? dead() : leases.hold(claim)),
        list: () => (this.#killed.has(registry) ? dead() : leases.list()),
        end: (lease) => (this.#killed.has(registry) ? dead() : leases.end(lease)),
      },
      describe,
      clock: this.#clock,
      log: silentLogger,
      leaseMs: LEASE_MS,
      renewMs,
      isGone,
    });
    return registry;
  }

  async kill(registry: InstanceRegistry): Promise<void> {
    this.#killed.add(registry);
  }

  async forget(): Promise<void> {
    const leases = this.#store.instanceLeases(this.#clock);
    await Promise.all((await leases.list()).map((lease) => leases.end(lease)));
  }

  async pass(ms: number): Promise<void> {
    this.#passedMs += ms;
  }

  async stop(): Promise<void> {
    await this.#store.stop();
    await rm(this.#directory, { recursive: true });
  }
}

expectNothingUnhandled();

instanceRegistryContract('lmdb', () => Registries.start());

test('a store is the same one under any name, and another one is another', async () => {
  const [here, there] = [await temporaryDirectory(), await temporaryDirectory()];
  const stores = [lmdbStore(here), lmdbStore(there)];
  await Promise.all(stores.map((store) => store.start()));
  const [place, otherPlace] = await Promise.all(stores.map((store) => store.place()));
  expect(place).not.toBe(otherPlace);
  await stores[0]?.stop();
  const sameFile = lmdbStore(`${here}/../${here.split('/').at(-1)}`);
  await sameFile.start();
  expect(await sameFile.place()).toBe(place);
  await Promise.all([sameFile.stop(), stores[1]?.stop()]);
  await Promise.all([here, there].map((directory) => rm(directory, { recursive: true })));
});
