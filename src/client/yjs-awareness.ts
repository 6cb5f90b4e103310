import * as encoding from 'lib0/encoding';
import { applyAwarenessUpdate, removeAwarenessStates, type Awareness } from 'y-protocols/awareness';
import type { AwarenessStates } from '../protocol/schemas';
import type { FlowSession } from './session';

interface AwarenessChange {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

/** Yjs's replica ids are unsigned 32-bit numbers; states under other names belong to other kinds of editors. */
const REPLICA_ID = /^\d{1,10}$/;

/** Carries a Yjs Awareness over a session: the own state goes out, the others' come in and go with the connection. */
export class AwarenessLink {
  readonly #awareness: Awareness;
  readonly #session: FlowSession;
  /** Marks changes made here, so that they are not sent back. */
  readonly #origin: object;
  #isSendDue = false;

  constructor(awareness: Awareness, session: FlowSession, origin: object) {
    this.#awareness = awareness;
    this.#session = session;
    this.#origin = origin;
    awareness.on('update', this.#onUpdate);
  }

  /** After joining: the server has forgotten what an earlier connection said. */
  sendOwn(): void {
    const own = this.#awareness.getLocalState();
    // Under the next clock: under the last one the others saw it go, and would take it for old.
    if (own !== null) this.#awareness.setLocalState(own);
  }

  apply(states: AwarenessStates): void {
    const known = Object.entries(states).filter(
      ([id]) => REPLICA_ID.test(id) && Number(id) !== this.#awareness.clientID,
    );
    if (known.length === 0) return;
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, known.length);
    for (const [id, { clock, state }] of known) {
      encoding.writeVarUint(encoder, Number(id));
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarString(encoder, JSON.stringify(state ?? null));
    }
    applyAwarenessUpdate(this.#awareness, encoding.toUint8Array(encoder), this.#origin);
  }

  /** The connection is gone, and with it what we know of the others. */
  removeOthers(): void {
    const { states, meta, clientID } = this.#awareness;
    const others = [...states.keys()].filter((id) => id !== clientID);
    removeAwarenessStates(this.#awareness, others, this.#origin);
    // Otherwise a state that has not changed meanwhile would be taken for an old one when it comes again.
    for (const id of [...meta.keys()]) if (id !== clientID) meta.delete(id);
  }

  /** Says goodbye at once: later there is no connection to say it on. */
  destroy(): void {
    this.#awareness.off('update', this.#onUpdate);
    this.removeOthers();
    if (this.#awareness.getLocalState() === null) return;
    this.#awareness.setLocalState(null);
    this.#sendNow();
  }

  readonly #onUpdate = ({ added, updated, removed }: AwarenessChange, origin: unknown): void => {
    if (origin === this.#origin || this.#isSendDue) return;
    const { clientID } = this.#awareness;
    if (![added, updated, removed].some((ids) => ids.includes(clientID))) return;
    this.#isSendDue = true;
    queueMicrotask(() => {
      this.#isSendDue = false;
      this.#sendNow();
    });
  };

  #sendNow(): void {
    const { clientID, meta } = this.#awareness;
    this.#session.sendAwareness(String(clientID), meta.get(clientID)?.clock ?? 0, this.#awareness.getLocalState());
  }
}
