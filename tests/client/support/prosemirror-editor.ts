import { collab, receiveTransaction, sendableSteps } from 'prosemirror-collab';
import type { Node } from 'prosemirror-model';
import { schema } from 'prosemirror-schema-basic';
import { EditorState } from 'prosemirror-state';
import { Mapping, Step, Transform } from 'prosemirror-transform';
import type { Authored, RebasingEditor } from './rebasing-author';

const EMPTY = schema.node('doc', null, [schema.node('paragraph')]);
/** The text of the only paragraph begins behind its opening. */
const TEXT_START = 1;

function docAfter(steps: readonly Step[]): Node {
  const transform = new Transform(EMPTY);
  for (const step of steps) transform.step(step);
  return transform.doc;
}

/** ProseMirror without a view: its state and `prosemirror-collab`. */
export class ProseMirrorEditor implements RebasingEditor<Step> {
  readonly #clientID: string;
  #state: EditorState;

  constructor(clientID: string) {
    this.#clientID = clientID;
    this.#state = this.#stateAfter([]);
  }

  get text(): string {
    return this.#state.doc.textContent;
  }

  insert(offset: number, text: string): void {
    this.#state = this.#state.apply(this.#state.tr.insertText(text, TEXT_START + offset));
  }

  remove(from: number, to: number): void {
    this.#state = this.#state.apply(this.#state.tr.delete(TEXT_START + from, TEXT_START + to));
  }

  unconfirmed(): Step[] {
    return [...(sendableSteps(this.#state)?.steps ?? [])];
  }

  receive(received: ReadonlyArray<Authored<Step>>): void {
    const steps = received.map(({ change }) => change);
    const authors = received.map(({ author }) => author);
    this.#state = this.#state.apply(receiveTransaction(this.#state, steps, authors));
  }

  /** Undoes everything behind, then redoes what is own: the way collab rebases. */
  fork(confirmed: readonly Step[], behind: ReadonlyArray<Authored<Step>>): void {
    const transform = new Transform(docAfter(confirmed));
    const inverted = behind.map(({ change }) => {
      const inverse = change.invert(transform.doc);
      transform.step(change);
      return inverse;
    });
    const mapping = new Mapping();
    const apply = (step: Step, mirrors?: number): boolean => {
      if (transform.maybeStep(step).failed) return false;
      mapping.appendMap(step.getMap(), mirrors);
      return true;
    };
    for (const inverse of inverted.toReversed()) apply(inverse);
    const own: Step[] = [];
    behind.forEach(({ author, change }, index) => {
      if (author !== this.#clientID) return;
      const undoneAt = behind.length - 1 - index;
      const mapped = change.map(mapping.slice(undoneAt + 1));
      if (mapped && apply(mapped, undoneAt)) own.push(mapped);
    });
    this.#state = this.#stateAfter(confirmed);
    const { tr } = this.#state;
    for (const step of own) tr.step(step);
    this.#state = this.#state.apply(tr);
  }

  toWire(step: Step): unknown {
    return step.toJSON();
  }

  fromWire(step: unknown): Step {
    return Step.fromJSON(schema, step);
  }

  #stateAfter(confirmed: readonly Step[]): EditorState {
    return EditorState.create({
      doc: docAfter(confirmed),
      plugins: [collab({ version: confirmed.length, clientID: this.#clientID })],
    });
  }
}
