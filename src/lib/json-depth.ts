/** UTF-16 units that say how JSON is nested. */
const CODE = { quote: 0x22, bracket: 0x5b, backslash: 0x5c, closingBracket: 0x5d, brace: 0x7b, closingBrace: 0x7d };

/** Whether a JSON text may be nested deeper than so many levels. Strings are passed over. */
export function isNestedDeeperThan(maxDepth: number, text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === CODE.quote) isInString = !isInString;
    else if (code === CODE.backslash) at += 1;
    else if (isInString) continue;
    else if (code === CODE.closingBracket || code === CODE.closingBrace) depth -= 1;
    else if (code === CODE.bracket || code === CODE.brace) {
      depth += 1;
      if (depth > maxDepth) return true;
    }
  }
  return false;
}
