import { collab, receiveUpdates, sendableUpdates } from '@codemirror/collab';
import { ChangeSet, EditorState, Text } from '@codemirror/state';
import type { ForkedChange, RebasingEditor } from './rebasing-author';

const docAfter = (changes: readonly ChangeSet[], start = Text.empty): Text => changes.reduce((doc, change) => change.apply(doc), start);

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

  receive(received: ReadonlyArray<{ author: string; change: ChangeSet }>): void {
    const updates = received.map(({ author, change }) => ({ clientID: author, changes: change }));
    this.#state = receiveUpdates(this.#state, updates).state;
  }

  restart(confirmed: readonly ChangeSet[]): void {
    this.#state = this.#stateAfter(confirmed);
  }

  rebase(base: readonly ChangeSet[], forked: ReadonlyArray<ForkedChange<ChangeSet>>, confirmed: readonly ChangeSet[]): void {
    let before = docAfter(base);
    /** From the document as it was to the one with the new history instead, and mine on top. */
    let over = confirmed.reduce((all, change) => all.compose(change), ChangeSet.empty(before.length));
    const mine: ChangeSet[] = [];
    for (const { change, isMine } of forked) {
      if (isMine) {
        mine.push(change.map(over));
        over = over.map(change, true);
      } else {
        over = change.invert(before).compose(over);
      }
      before = change.apply(before);
    }
    this.#state = this.#stateAfter([...base, ...confirmed]);
    for (const changes of mine) this.#state = this.#state.update({ changes }).state;
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
