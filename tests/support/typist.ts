import * as Y from 'yjs';
import { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { FIELD } from '../../src/tools/traces';
import { eventually } from './eventually';
import { seededRandom } from '../../src/tools/seeded-random';
import type { Processes } from './server-process';

/** Looks for its server again at once, so that a restart costs a test little. */
const BACKOFF = { firstMs: 20, ceilingMs: 400 };
const DEADLINE_MS = 60_000;

/**
 * An editor that types word after word into one document, each somewhere else and no word twice, whether its server is there or not. Words
 * are only put between words, so they stay whole whatever the others do.
 */
export class Typist {
  /** What it has typed, in order. */
  readonly words: string[] = [];
  /** How many of them while it had no server. */
  wordsAlone = 0;
  readonly name: string;
  readonly provider: FlowYjsProvider;
  readonly #client: FlowClient;
  readonly #doc = new Y.Doc();
  readonly #random: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { url: string; sessionId: string; name: string; seed: number }) {
    this.name = options.name;
    this.#random = seededRandom(options.seed);
    this.#client = new FlowClient({ url: options.url, token: this.name, backoff: BACKOFF });
    this.provider = new FlowYjsProvider(this.#client, options.sessionId, this.#doc);
  }

  get text(): string {
    return this.#doc.getText(FIELD).toJSON();
  }

  async synced(): Promise<void> {
    await eventually(`${this.name} has joined`, () => this.provider.synced, DEADLINE_MS);
  }

  /** Goes on until `rest`. `everyMs`: a word. */
  type(everyMs: number): void {
    this.#timer = setInterval(() => this.#typeWord(), everyMs);
  }

  /** Types no more, and waits until everything is saved. */
  async rest(): Promise<void> {
    clearInterval(this.#timer);
    await eventually(`${this.name} has joined again`, () => this.provider.synced, DEADLINE_MS);
    await this.provider.whenSaved();
  }

  close(): void {
    clearInterval(this.#timer);
    this.provider.destroy();
    this.#client.close();
    this.#doc.destroy();
  }

  #typeWord(): void {
    const word = `${this.name}-${this.words.length}`;
    const content = this.#doc.getText(FIELD);
    const text = content.toJSON();
    const from = Math.floor(this.#random() * text.length);
    content.insert(text.indexOf(' ', from) + 1, `${word} `);
    this.words.push(word);
    if (!this.provider.synced) this.wordsAlone += 1;
  }
}

/** Typists on a new session, spread over the servers, all joined; they go with the processes. */
export async function gatherTypists(
  processes: Processes,
  urls: readonly [string, ...string[]],
  names: readonly string[],
): Promise<{ sessionId: string; typists: Typist[] }> {
  const creator = new FlowClient({ url: urls[0], token: 'creator' });
  const { sessionId } = await creator.createSession({ title: 'Notes', format: 'yjs' });
  creator.close();
  const typists = names.map(
    (name, index) => new Typist({ url: urls[index % urls.length] ?? urls[0], sessionId, name, seed: index + 1 }),
  );
  processes.onClean(async () => {
    for (const typist of typists) typist.close();
  });
  await Promise.all(typists.map((typist) => typist.synced()));
  return { sessionId, typists };
}

/** The words of a text, in the order of the alphabet: to be held against everything that was typed. */
export const wordsOf = (text: string): string[] => text.split(' ').filter(Boolean).sort();

/** Everyone rests; demands that all have the same text with every word once, and answers it. */
export async function demandOneText(typists: readonly Typist[]): Promise<string> {
  await Promise.all(typists.map((typist) => typist.rest()));
  const typed = typists.flatMap(({ words }) => words).sort();
  const [first] = typists;
  if (!first || typed.length === 0) throw new Error('nobody has typed');
  await eventually('everyone has everything', () => typists.every(({ text }) => text.length === first.text.length));
  expect(wordsOf(first.text)).toEqual(typed);
  for (const { text } of typists) expect(text).toBe(first.text);
  return first.text;
}
