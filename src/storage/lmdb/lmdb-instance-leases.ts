import type { InstanceLease, InstanceLeases, LeaseAnswer, LeaseClaim } from '../../instances/instance-leases';
import type { Clock } from '../../lib/clock';
import type { LmdbEngine } from './lmdb-engine';
import type { LeaseRow, Tables } from './lmdb-tables';

/** Leases of the processes that have this store open. They are all on one machine and so have one clock. */
export class LmdbInstanceLeases implements InstanceLeases {
  readonly #engine: LmdbEngine;
  readonly #clock: Clock;

  constructor(engine: LmdbEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  hold({ instanceId, text, previous, leaseMs }: LeaseClaim): Promise<LeaseAnswer> {
    return this.#engine.write((tables): LeaseAnswer => {
      const now = this.#clock.now();
      const rows = [...rowsOf(tables)];
      for (const [id, [, endsAt]] of rows) if (endsAt <= now) void tables.instances.remove(id);
      const alive = rows.filter(([, [, endsAt]]) => endsAt > now);
      const [, held] = alive.find(([id]) => id === instanceId) ?? [];
      if (held && held[0] !== previous && held[0] !== text) return { kind: 'taken', text: held[0] };
      const place = held?.[2] ?? 1 + Math.max(0, ...alive.map(([, row]) => row[2]));
      void tables.instances.put(instanceId, [text, now + leaseMs, place]);
      return { kind: held ? 'kept' : 'arrived' };
    });
  }

  list(): Promise<readonly InstanceLease[]> {
    return this.#engine.read((tables) =>
      [...rowsOf(tables)]
        .filter(([, [, endsAt]]) => endsAt > this.#clock.now())
        .sort(([, one], [, other]) => one[2] - other[2])
        .map(([instanceId, [text, endsAt]]) => ({ instanceId, text, endsAt: String(endsAt) })),
    );
  }

  end({ instanceId, text, endsAt }: InstanceLease): Promise<void> {
    return this.#engine.write((tables) => {
      const row = tables.instances.get(instanceId);
      if (row && row[0] === text && String(row[1]) === endsAt) void tables.instances.remove(instanceId);
    });
  }
}

function* rowsOf({ instances }: Tables): Generator<[instanceId: string, row: LeaseRow]> {
  for (const { key, value } of instances.getRange()) yield [key, value];
}
