import { defaultKeymap } from '@codemirror/commands';
import { defineLanguageFacet, Language, syntaxHighlighting } from '@codemirror/language';
import { search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  Decoration,
  EditorView,
  highlightSpecialChars,
  keymap,
  placeholder,
  ViewPlugin,
  type DecorationSet,
  type ViewUpdate,
} from '@codemirror/view';
import { tagHighlighter, tags } from '@lezer/highlight';
import { parser } from '@lezer/markdown';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { remoteCursors } from './remote-cursors';

/** The editor of one shared text. */
export interface TextEditor {
  readonly view: EditorView;
  setReadOnly(isReadOnly: boolean): void;
}

interface TextEditorOptions {
  readonly parent: HTMLElement;
  readonly text: Y.Text;
  readonly awareness: Awareness;
  /** For the styles CodeMirror makes. */
  readonly nonce: string;
}

export function createTextEditor({ parent, text, awareness, nonce }: TextEditorOptions): TextEditor {
  const access = new Compartment();
  // The undo of Yjs takes back only what was written here.
  const undoManager = new Y.UndoManager(text);
  const redo = { key: 'Mod-Shift-z', preventDefault: true, run: () => undoManager.redo() !== null };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text.toJSON(),
      extensions: [
        EditorView.cspNonce.of(nonce),
        EditorView.lineWrapping,
        onlyNewlines,
        EditorView.contentAttributes.of({ 'aria-label': 'Text', spellcheck: 'true', autocapitalize: 'sentences' }),
        EditorView.perLineTextDirection.of(true),
        access.of(accessOf(true)),
        highlightSpecialChars(),
        placeholder('Start writing. Headings, lists and emphasis are Markdown.'),
        search({ top: true }),
        markdown(),
        linesByTheirDirection,
        keymap.of([redo, ...yUndoManagerKeymap, ...searchKeymap, ...defaultKeymap]),
        yCollab(text, null, { undoManager }),
        remoteCursors(text, awareness),
      ],
    }),
  });
  return {
    view,
    setReadOnly: (isReadOnly) => {
      if (view.state.readOnly !== isReadOnly) view.dispatch({ effects: access.reconfigure(accessOf(isReadOnly)) });
    },
  };
}

/**
 * CodeMirror counts any end of a line as one character, and Yjs one that other programs wrote as `\r\n` as two: positions would drift apart.
 * So only a newline ends a line, whatever else is in the text stays there as a character, and what is pasted brings newlines.
 */
const onlyNewlines: Extension = [
  EditorState.lineSeparator.of('\n'),
  EditorView.clipboardInputFilter.of((pasted) => pasted.replaceAll(/\r\n?/g, '\n')),
];

/** What cannot be written in can still be focused and selected with the keyboard. */
const accessOf = (isReadOnly: boolean): Extension => [
  EditorState.readOnly.of(isReadOnly),
  EditorView.editable.of(!isReadOnly),
  isReadOnly ? EditorView.contentAttributes.of({ tabindex: '0', 'aria-readonly': 'true' }) : [],
];

/** Only shows what is Markdown in the text; without the languages inside it, which weigh more than everything else here. */
const markdown = (): Extension => [
  new Language(defineLanguageFacet(), parser, [], 'markdown').extension,
  syntaxHighlighting(markdownClasses),
];

const markdownClasses = tagHighlighter([
  { tag: tags.heading1, class: 'md-heading md-heading1' },
  { tag: tags.heading2, class: 'md-heading md-heading2' },
  { tag: tags.heading, class: 'md-heading' },
  { tag: tags.strong, class: 'md-strong' },
  { tag: tags.emphasis, class: 'md-emphasis' },
  { tag: [tags.link, tags.url], class: 'md-link' },
  { tag: tags.monospace, class: 'md-code' },
  { tag: [tags.processingInstruction, tags.contentSeparator], class: 'md-mark' },
]);

const byItsDirection = Decoration.line({ attributes: { dir: 'auto' } });

/** Each line runs in the direction of its first letter. */
const linesByTheirDirection = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;

    constructor(view: EditorView) {
      this.decorations = visibleLines(view);
    }

    update({ docChanged, viewportChanged, view }: ViewUpdate): void {
      if (docChanged || viewportChanged) this.decorations = visibleLines(view);
    }
  },
  { decorations: ({ decorations }) => decorations },
);

function visibleLines(view: EditorView): DecorationSet {
  const lines = view.viewportLineBlocks.map(({ from }) => byItsDirection.range(from));
  return Decoration.set(lines);
}
