import * as Y from 'yjs';

/**
 * Reads a shared type of a Yjs document that was only ever received: its root types carry no type then, and it has to be told
 * from what they contain.
 */
export function textOf(doc: Y.Doc, field: string): string {
  return linesOf(sharedType(doc, field)).join('\n');
}

export function jsonOf(doc: Y.Doc, field: string): string {
  const shared = sharedType(doc, field);
  const value: unknown = shared instanceof Y.XmlFragment ? { type: 'doc', content: nodesOf(shared) } : shared?.toJSON();
  return JSON.stringify(value ?? null, toJsonValue);
}

type SharedType = Y.Text | Y.Array<unknown> | Y.Map<unknown> | Y.XmlFragment;

/** Null: there is no such type, or nothing in it tells which it is. */
function sharedType(doc: Y.Doc, field: string): SharedType | null {
  const root = doc.share.get(field);
  if (!root) return null;
  for (let item = root._start; item; item = item.right) {
    const { content } = item;
    if (content instanceof Y.ContentDeleted) continue;
    if (content instanceof Y.ContentType) return isXml(content.type) ? doc.getXmlFragment(field) : doc.getArray(field);
    const isText = [Y.ContentString, Y.ContentFormat, Y.ContentEmbed].some((kind) => content instanceof kind);
    return isText ? doc.getText(field) : doc.getArray(field);
  }
  return root._map.size > 0 ? doc.getMap(field) : null;
}

const isXml = (type: unknown): boolean =>
  type instanceof Y.XmlText || type instanceof Y.XmlElement || type instanceof Y.XmlHook;

/** Elements of editors' schemas that break a line inside a block. */
const LINE_BREAKS: readonly string[] = ['hard_break', 'hardBreak', 'br'];

/** The texts of a value, a line per block, array item or map value. */
function linesOf(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (value instanceof Y.Text) return [plainText(value)];
  if (value instanceof Y.XmlElement) {
    const children = value.toArray();
    const isBlockOfText = children.length === 0 || children.some((child) => child instanceof Y.XmlText);
    return isBlockOfText ? [children.map(inlineText).join('')] : children.flatMap(linesOf);
  }
  if (value instanceof Y.XmlFragment || value instanceof Y.Array) return value.toArray().flatMap(linesOf);
  if (value instanceof Y.Map) return [...value.values()].flatMap(linesOf);
  return [typeof value === 'string' ? value : JSON.stringify(value, toJsonValue)];
}

function inlineText(node: Y.XmlElement | Y.XmlText | Y.XmlHook): string {
  if (node instanceof Y.XmlText) return plainText(node);
  if (!(node instanceof Y.XmlElement)) return '';
  return LINE_BREAKS.includes(node.nodeName) ? '\n' : node.toArray().map(inlineText).join('');
}

/** Not `toString`, which writes an XmlText's formatting as tags. */
const plainText = (text: Y.Text): string => Y.Text.prototype.toString.call(text);

interface DocumentNode {
  readonly type: string;
  readonly attrs?: Readonly<Record<string, unknown>>;
  readonly content?: readonly DocumentNode[];
  readonly text?: unknown;
  readonly marks?: readonly DocumentNode[];
}

/** What the editors' Yjs bindings make of a document: elements are nodes, formatted runs of text are texts with marks. */
function nodesOf(parent: Y.XmlFragment): DocumentNode[] {
  return parent.toArray().flatMap((node) => {
    if (node instanceof Y.XmlText) return textsOf(node);
    if (!(node instanceof Y.XmlElement)) return [];
    const content = nodesOf(node);
    const element = { type: node.nodeName, ...withAttrs(node.getAttributes()) };
    return [content.length > 0 ? { ...element, content } : element];
  });
}

/** One piece of what `toDelta` answers, as Yjs documents it. */
interface DeltaPart {
  readonly insert: unknown;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

function textsOf(text: Y.XmlText): DocumentNode[] {
  return (text.toDelta() as readonly DeltaPart[]).map(({ insert, attributes = {} }) => {
    const marks = Object.entries(attributes).map(([type, attrs]) => ({ type, ...withAttrs(attrs) }));
    return { type: 'text', text: insert, ...(marks.length > 0 ? { marks } : {}) };
  });
}

function withAttrs(attrs: unknown): Pick<DocumentNode, 'attrs'> {
  const isFilled = typeof attrs === 'object' && attrs !== null && Object.keys(attrs).length > 0;
  return isFilled ? { attrs: { ...attrs } } : {};
}

/** Yjs holds two things that JSON does not. */
function toJsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
