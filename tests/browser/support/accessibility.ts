import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** What is seriously wrong with a page for people who do not see or do not point, as `rule: where`. */
export async function seriousViolations(page: Page): Promise<string[]> {
  // Through the debugger, which the page's content policy does not concern.
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}
