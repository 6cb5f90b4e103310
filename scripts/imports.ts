// What a TypeScript file imports, read from its syntax tree.

import { readFileSync } from 'node:fs';
import { parseSync } from '@swc/core';

export interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
  readonly isReExport: boolean;
  readonly line: number;
}

/** The fields that matter here of swc's nodes. */
interface SyntaxNode {
  readonly type: string;
  readonly value?: string;
  readonly typeOnly?: boolean;
  readonly isTypeOnly?: boolean;
  readonly source?: SyntaxNode | null;
  readonly specifiers?: readonly SyntaxNode[];
  readonly argument?: SyntaxNode;
  readonly callee?: SyntaxNode;
  readonly arguments?: ReadonlyArray<{ readonly expression: SyntaxNode }>;
}

export function importsOf(file: string): Import[] {
  const source = readFileSync(file, 'utf8');
  const imports: Import[] = [];
  for (const node of nodesOf(parseSync(source, { syntax: 'typescript', target: 'es2022' }))) {
    const specifier = targetOf(node)?.value;
    if (specifier === undefined) continue;
    imports.push({
      specifier,
      isTypeOnly: isTypeOnly(node),
      isReExport: node.type.startsWith('Export'),
      line: lineOf(source, specifier),
    });
  }
  return imports;
}

/** The string that names what is imported, if this node imports. */
function targetOf(node: SyntaxNode): SyntaxNode | null | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return node.source;
    case 'TsImportType':
      return node.argument;
    case 'CallExpression': {
      const isImport = node.callee?.type === 'Import' || node.callee?.value === 'require';
      return isImport ? node.arguments?.[0]?.expression : undefined;
    }
    default:
      return undefined;
  }
}

/** `import type { A }`, every name marked as a type, or a type made of an import. */
function isTypeOnly({ type, typeOnly, specifiers = [] }: SyntaxNode): boolean {
  if (type === 'TsImportType' || typeOnly === true) return true;
  return specifiers.length > 0 && specifiers.every((name) => name.isTypeOnly);
}

function* nodesOf(tree: unknown): Generator<SyntaxNode> {
  if (typeof tree !== 'object' || tree === null) return;
  if (isNode(tree)) yield tree;
  for (const child of Object.values(tree)) yield* nodesOf(child);
}

const isNode = (value: object): value is SyntaxNode => 'type' in value && typeof value.type === 'string';

/** The tree counts bytes from an offset of its own, so the line is where the text first quotes the specifier. */
function lineOf(source: string, specifier: string): number {
  const index = ["'", '"', '`'].map((quote) => source.indexOf(quote + specifier + quote)).find((at) => at >= 0) ?? 0;
  return source.slice(0, index).split('\n').length;
}
