import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { transformSync } from '@swc/core';

const ROOT = path.join(__dirname, '../../..');

/** A rule taken out of the source of the server or the library. */
export interface SourceChange {
  /** From the root of the project; the change is made in that of its files which has the text. */
  readonly folder: string;
  /** Occurs once in these files. */
  readonly find: string;
  readonly replace: string;
}

/**
 * Loads a module as it would be with changes in the source of files it depends on. Modules that depend on none of them
 * are the ones everybody has. This is how a rule inside a class is switched off without a switch in the product.
 */
export function loadChanged(entry: string, changes: readonly SourceChange[]): unknown {
  return new ChangedModules(changes).load(path.join(ROOT, entry));
}

/** What everybody's modules are made of, by file; changed ones are made anew. */
const codeOfFile = new Map<string, string>();

class ChangedModules {
  /** By file. */
  readonly #changes = new Map<string, SourceChange[]>();
  readonly #changedCode = new Map<string, string>();
  readonly #isChanged = new Map<string, boolean>();
  readonly #loaded = new Map<string, { exports: unknown }>();

  constructor(changes: readonly SourceChange[]) {
    for (const change of changes) {
      const file = fileWith(change);
      this.#changes.set(file, [...(this.#changes.get(file) ?? []), change]);
    }
  }

  load(file: string): unknown {
    if (!this.#dependsOnChange(file)) return require(file) as unknown;
    const known = this.#loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} };
    this.#loaded.set(file, module);
    const requireFrom = (name: string): unknown =>
      name.startsWith('.') ? this.load(resolve(file, name)) : (require(name) as unknown);
    // oxlint-disable-next-line typescript/no-implied-eval -- a changed copy of our own source, run beside the real one
    const run = new Function('module', 'exports', 'require', '__filename', '__dirname', this.#codeOf(file));
    run(module, module.exports, requireFrom, file, path.dirname(file));
    return module.exports;
  }

  #dependsOnChange(file: string): boolean {
    if (!file.endsWith('.ts')) return false;
    const known = this.#isChanged.get(file);
    if (known !== undefined) return known;
    this.#isChanged.set(file, false);
    const dependencies = [...this.#codeOf(file).matchAll(/require\("(\.[^"]+)"\)/g)].map(([, name = '']) => name);
    const isChanged =
      this.#changes.has(file) || dependencies.some((name) => this.#dependsOnChange(resolve(file, name)));
    this.#isChanged.set(file, isChanged);
    return isChanged;
  }

  #codeOf(file: string): string {
    const changes = this.#changes.get(file);
    const codes = changes ? this.#changedCode : codeOfFile;
    const known = codes.get(file);
    if (known !== undefined) return known;
    let source = readFileSync(file, 'utf8');
    for (const { find, replace } of changes ?? []) source = source.replace(find, () => replace);
    const { code } = transformSync(source, {
      filename: file,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
      module: { type: 'commonjs' },
    });
    codes.set(file, code);
    return code;
  }
}

function fileWith({ folder, find }: SourceChange): string {
  const files = readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(ROOT, folder, name));
  const found = files.flatMap((file) => {
    const count = readFileSync(file, 'utf8').split(find).length - 1;
    return Array.from({ length: count }, () => file);
  });
  const [file] = found;
  if (!file || found.length > 1) throw new Error(`${folder} has ${found.length} times what is to be changed:\n${find}`);
  return file;
}

function resolve(from: string, name: string): string {
  const base = path.resolve(path.dirname(from), name);
  const found = [`${base}.ts`, path.join(base, 'index.ts'), base].find(isFile);
  if (!found) throw new Error(`${from} requires ${name}, which is not there`);
  return found;
}

const isFile = (candidate: string): boolean => existsSync(candidate) && statSync(candidate).isFile();
