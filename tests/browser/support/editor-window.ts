import type { BrowserContext, Page } from 'playwright-core';
import { sessionReply } from '../../../src/http/schemas';
import { eventually } from '../../support/eventually';

/** One window with a document open in the editor, used as people use it. */
export class EditorWindow {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  static async open(person: BrowserContext, address: string, status: RegExp | string = 'saved'): Promise<EditorWindow> {
    const page = await person.newPage();
    // Every status that is shown, in order: some last for less than a look.
    await page.addInitScript(() => {
      const shown: string[] = [];
      Object.assign(window, { shownStatuses: shown });
      document.addEventListener('DOMContentLoaded', () => {
        const line = document.getElementById('status');
        const note = (): void => void shown.push(line?.textContent ?? '');
        if (line) new MutationObserver(note).observe(line, { childList: true });
        note();
      });
    });
    await page.goto(address);
    const opened = new EditorWindow(page);
    await opened.shows(status);
    return opened;
  }

  /** A new document of this user. */
  static async create(person: BrowserContext, url: string, user: string): Promise<EditorWindow> {
    const answer = await fetch(`${url}/api/sessions`, { method: 'POST', headers: { authorization: `Bearer ${user}` } });
    const { session } = sessionReply.parse(await answer.json());
    return EditorWindow.open(person, `${url}/s/${session.sessionId}`);
  }

  get address(): string {
    return this.page.url();
  }

  get sessionId(): string {
    return new URL(this.address).pathname.replace('/s/', '');
  }

  async status(): Promise<string> {
    return (await this.page.locator('#status').textContent()) ?? '';
  }

  /** Waits until the status reads so. */
  async shows(status: RegExp | string): Promise<void> {
    await eventually(`status ${status}`, async () => expect(await this.status()).toEqual(expectedText(status)), 15_000);
  }

  /** Every status shown since the page was loaded, without repetitions in a row and without numbers. */
  async statuses(): Promise<string[]> {
    const shown = await this.page.evaluate(() => (window as unknown as { shownStatuses: string[] }).shownStatuses);
    const kinds = shown.map((text) => text.replace(/[ ,].*$/, ''));
    return kinds.filter((kind, index) => kind !== kinds[index - 1]);
  }

  /** What the editor shows, without the cursors of the others; of a long text, the part that is in sight. */
  text(): Promise<string> {
    return this.page.evaluate(() => {
      const content = document.querySelector('.cm-content')?.cloneNode(true) as HTMLElement;
      for (const strange of content.querySelectorAll('.their-caret, .cm-placeholder')) strange.remove();
      return [...content.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n');
    });
  }

  async reads(text: string): Promise<void> {
    await eventually(`the text ${JSON.stringify(text)}`, async () => expect(await this.text()).toBe(text));
  }

  /** At the end of the text, key by key. */
  async type(text: string): Promise<void> {
    await this.toEnd();
    await this.page.keyboard.type(text);
  }

  async toEnd(): Promise<void> {
    await this.page.locator('.cm-content').focus();
    await this.page.keyboard.press('Control+End');
  }

  /** Names beside the cursors of the others. */
  cursors(): Promise<string[]> {
    return this.page.locator('.their-name').allTextContents();
  }

  async showsCursors(...names: string[]): Promise<void> {
    await eventually(`cursors of ${names.join(', ') || 'nobody'}`, async () =>
      expect((await this.cursors()).sort()).toEqual([...names].sort()),
    );
  }
}

const expectedText = (status: RegExp | string): unknown =>
  typeof status === 'string' ? status : expect.stringMatching(status);

/** Waits until all windows show the same text, and answers it. */
export async function converged(...windows: readonly EditorWindow[]): Promise<string> {
  let text = '';
  await eventually('all windows show the same and have saved it', async () => {
    const texts = await Promise.all(windows.map((window) => window.text()));
    expect(await Promise.all(windows.map((window) => window.status()))).toEqual(windows.map(() => 'saved'));
    text = texts[0] ?? '';
    expect(texts).toEqual(windows.map(() => text));
  });
  return text;
}
