/** Text made of unique tokens `<a1>`: what was written, and what is lost, doubled or torn, can be read off it. */
const TOKEN = /<[a-z]\d+>/g;

export const tokensOf = (text: string): string[] => text.match(TOKEN) ?? [];

/** Offsets between tokens: where a new one may go without tearing another. */
export function gapsOf(text: string): number[] {
  const gaps = [0];
  for (const match of text.matchAll(TOKEN)) gaps.push(match.index + match[0].length);
  return gaps;
}

/** What is written of an author, and taken away again only by that author. */
export class TokenLedger {
  readonly written = new Set<string>();
  readonly deleted = new Set<string>();
  #next = 1;

  constructor(readonly author: string) {}

  write(): string {
    const token = `<${this.author}${this.#next++}>`;
    this.written.add(token);
    return token;
  }

  /** One of our own that is in the text. */
  own(text: string): string[] {
    return tokensOf(text).filter((token) => this.written.has(token) && !this.deleted.has(token));
  }
}

/** What is wrong with a text that these ledgers should have made. */
export function faultsOf(text: string, ledgers: readonly TokenLedger[]): string[] {
  const faults: string[] = [];
  const tokens = tokensOf(text);
  if (tokens.join('') !== text) faults.push(`torn tokens: ${text.replaceAll(TOKEN, '·')}`);
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const { written, deleted } of ledgers) {
    for (const token of written) {
      const expected = deleted.has(token) ? 0 : 1;
      const count = counts.get(token) ?? 0;
      if (count !== expected) faults.push(`${token} is there ${count} times, not ${expected}`);
    }
  }
  return faults;
}
