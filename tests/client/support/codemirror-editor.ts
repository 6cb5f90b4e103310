import { collab, receiveUpdates, sendableUpdates } from '@codemirror/collab';
import { ChangeSet, EditorState, Text } from '@codemirror/state';
import type { Authored, RebasingEditor } from './rebasing-author';

const docAfter = (changes: readonly ChangeSet[], start = Text.empty): Text =>
  changes.reduce((doc, change) => change.apply(doc), start);

/** CodeMirror without a view: its state and `@codemirror/collab`. */
export class CodeMirrorEditor implements RebasingEditor<ChangeSet> {
  readonly #clientID: string;
  #state: EditorState;

  constructor(clientID: string) {
    this.#clientID = clientID;
    this.#state = this.#stateAfter([]);
  }

  get text(): string {
    return this.#state.doc.toString();
  }

  insert(from: number, insert: string): void {
    this.#state = this.#state.update({ changes: { from, insert } }).state;
  }

  remove(from: number, to: number): void {
    this.#state = this.#state.update({ changes: { from, to } }).state;
  }

  unconfirmed(): ChangeSet[] {
    return sendableUpdates(this.#state).map(({ changes }) => changes);
  }

  receive(received: ReadonlyArray<Authored<ChangeSet>>): void {
    const updates = received.map(({ author, change }) => ({ clientID: author, changes: change }));
    this.#state = receiveUpdates(this.#state, updates).state;
  }

  fork(confirmed: readonly ChangeSet[], behind: ReadonlyArray<Authored<ChangeSet>>): void {
    let before = docAfter(confirmed);
    /** From the document as it was to the one with nothing behind `confirmed` but own changes. */
    let undo = ChangeSet.empty(before.length);
    const own: ChangeSet[] = [];
    for (const { author, change } of behind) {
      if (author === this.#clientID) {
        own.push(change.map(undo));
        undo = undo.map(change, true);
      } else {
        undo = change.invert(before).compose(undo);
      }
      before = change.apply(before);
    }
    this.#state = this.#stateAfter(confirmed);
    for (const changes of own) this.#state = this.#state.update({ changes }).state;
  }

  toWire(change: ChangeSet): unknown {
    return change.toJSON();
  }

  fromWire(change: unknown): ChangeSet {
    return ChangeSet.fromJSON(change);
  }

  #stateAfter(confirmed: readonly ChangeSet[]): EditorState {
    const extensions = [collab({ startVersion: confirmed.length, clientID: this.#clientID })];
    return EditorState.create({ doc: docAfter(confirmed), extensions });
  }
}
