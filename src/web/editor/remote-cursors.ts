import { Annotation, RangeSet, type Extension, type Range } from '@codemirror/state';
import {
  Decoration,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type EditorView,
  type PluginValue,
  type ViewUpdate,
} from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { personIn, type Person } from './people';

/** Where somebody points, as every Yjs editor says it: relative positions as JSON, in `cursor`. */
interface Pointing {
  readonly anchor: unknown;
  readonly head: unknown;
}

interface AwarenessChange {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

const moved = Annotation.define<true>();

/** Shows where the others are and what they have selected, and tells them the same of this editor. */
export const remoteCursors = (text: Y.Text, awareness: Awareness): Extension =>
  ViewPlugin.define((view) => new RemoteCursors(view, text, awareness), {
    decorations: (cursors) => cursors.decorations,
  });

class RemoteCursors implements PluginValue {
  decorations: DecorationSet = RangeSet.empty;
  readonly #view: EditorView;
  readonly #text: Y.Text;
  readonly #awareness: Awareness;
  #isTellDue = false;
  #frame = 0;
  #isDestroyed = false;

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#view = view;
    this.#text = text;
    this.#awareness = awareness;
    awareness.on('change', this.#onChange);
    this.#refreshSoon();
  }

  update(update: ViewUpdate): void {
    if (update.transactions.some((transaction) => transaction.annotation(moved))) this.decorations = this.#draw();
    else if (update.docChanged) {
      this.decorations = this.decorations.map(update.changes);
      // Where somebody points may have come before the text they point to.
      this.#refreshWithFrame();
    }
    // Who has only looked points nowhere; who looks away still points where they did.
    const hasPointed = update.view.hasFocus || Boolean(this.#awareness.getLocalState()?.['cursor']);
    if (hasPointed && (update.selectionSet || update.docChanged || update.focusChanged)) this.#tellSoon();
  }

  destroy(): void {
    this.#isDestroyed = true;
    window.cancelAnimationFrame(this.#frame);
    this.#awareness.off('change', this.#onChange);
  }

  readonly #onChange = ({ added, updated, removed }: AwarenessChange): void => {
    if ([...added, ...updated, ...removed].some((id) => id !== this.#awareness.clientID)) this.#refreshSoon();
  };

  /** Not within an update of the editor, which may be what the change came from. */
  #refreshSoon(): void {
    queueMicrotask(() => {
      if (!this.#isDestroyed) this.#view.dispatch({ annotations: moved.of(true) });
    });
  }

  #refreshWithFrame(): void {
    if (this.#awareness.getStates().size < 2) return;
    window.cancelAnimationFrame(this.#frame);
    this.#frame = window.requestAnimationFrame(() => this.#refreshSoon());
  }

  /** Once for all changes of a turn: to name a position in a long text takes its time. */
  #tellSoon(): void {
    if (this.#isTellDue) return;
    this.#isTellDue = true;
    queueMicrotask(() => {
      this.#isTellDue = false;
      if (!this.#isDestroyed) this.#tell();
    });
  }

  #tell(): void {
    const { anchor, head } = this.#view.state.selection.main;
    const nameOf = (index: number): unknown =>
      Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.#text, index));
    const namedAnchor = nameOf(anchor);
    const cursor = { anchor: namedAnchor, head: head === anchor ? namedAnchor : nameOf(head) };
    const told: unknown = this.#awareness.getLocalState()?.['cursor'];
    if (JSON.stringify(told) !== JSON.stringify(cursor)) this.#awareness.setLocalStateField('cursor', cursor);
  }

  #draw(): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    for (const [id, state] of this.#awareness.getStates()) {
      if (id === this.#awareness.clientID) continue;
      const person = personIn(state);
      const pointing = pointingIn(state);
      if (!person || !pointing) continue;
      const anchor = this.#indexOf(pointing.anchor);
      const head = this.#indexOf(pointing.head);
      if (anchor === null || head === null) continue;
      if (anchor !== head) ranges.push(selection(person).range(Math.min(anchor, head), Math.max(anchor, head)));
      const widget = new Caret(person, JSON.stringify(pointing.head));
      ranges.push(Decoration.widget({ widget, side: head < anchor ? -1 : 1 }).range(head));
    }
    return Decoration.set(ranges, true);
  }

  /** Null: it is in nothing that is here yet. */
  #indexOf(position: unknown): number | null {
    const { doc } = this.#text;
    if (!doc) return null;
    try {
      const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), doc);
      return found?.type === this.#text ? Math.min(found.index, this.#view.state.doc.length) : null;
    } catch {
      // What is no position points nowhere.
      return null;
    }
  }
}

function pointingIn(state: Record<string, unknown>): Pointing | null {
  const { cursor } = state;
  if (typeof cursor !== 'object' || cursor === null || !('anchor' in cursor) || !('head' in cursor)) return null;
  return { anchor: cursor.anchor, head: cursor.head };
}

const selection = ({ color }: Person): Decoration =>
  Decoration.mark({ class: 'their-selection', attributes: { style: `--who: ${color}` } });

class Caret extends WidgetType {
  readonly #person: Person;
  /** Where it is, in words: a caret that has moved shows its name again. */
  readonly #place: string;

  constructor(person: Person, place: string) {
    super();
    this.#person = person;
    this.#place = place;
  }

  override eq(other: Caret): boolean {
    const { name, color } = this.#person;
    return name === other.#person.name && color === other.#person.color && this.#place === other.#place;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span');
    caret.className = 'their-caret';
    caret.setAttribute('aria-hidden', 'true');
    caret.style.setProperty('--who', this.#person.color);
    const name = document.createElement('span');
    name.className = 'their-name';
    name.textContent = this.#person.name;
    caret.append(name);
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}
