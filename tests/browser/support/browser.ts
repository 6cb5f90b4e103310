import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type BrowserServer,
  type Page,
} from 'playwright-core';
import { findChromium } from '../../../scripts/chromium';

/** One Chromium for a test file. Its windows are checked when they are closed: none may have complained of anything. */
export class Browsing {
  readonly #complaints: string[] = [];
  readonly #contexts: BrowserContext[] = [];
  readonly #others: Browsing[] = [];
  #server: BrowserServer | null = null;
  #browser: Browser | null = null;

  async start(): Promise<void> {
    const executablePath = findChromium();
    if (executablePath === null) throw new Error('There is no Chromium here.');
    // As root, which CI often is, Chromium has no sandbox.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    this.#server = await chromium.launchServer({ executablePath, args });
    this.#browser = await chromium.connect(this.#server.wsEndpoint());
  }

  /** A second browser, in processes of its own. */
  async another(): Promise<Browsing> {
    const other = new Browsing();
    this.#others.push(other);
    await other.start();
    return other;
  }

  /** Ends the browser without a chance to say goodbye. */
  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  /** A profile of its own whose pages know their user by this name. */
  async named(name: string, options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const person = await this.person(options);
    await person.addInitScript((chosen) => {
      // A new window is empty before it is sent somewhere, and has no storage then.
      if (location.protocol === 'http:') localStorage.setItem('flow-name', chosen);
    }, name);
    return person;
  }

  /** A profile of its own: windows of one share storage and locks, as tabs of one person do. */
  async person(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    if (!this.#browser) throw new Error('Start the browser first.');
    const context = await this.#browser.newContext({ reducedMotion: 'reduce', ...options });
    this.#contexts.push(context);
    context.on('page', (page) => this.#listen(page));
    return context;
  }

  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** What windows have complained of since the last call: errors on the console, thrown ones, breaches of the content policy. */
  takeComplaints(): string[] {
    return this.#complaints.splice(0);
  }

  async closePeople(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#others.splice(0).map((other) => other.stop()));
    await this.#server?.close();
  }

  #listen(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.#complain(message.text());
    });
    page.on('pageerror', (fault) => this.#complain(fault.stack ?? fault.message));
  }

  /** A browser itself writes to the console when a connection is refused; a page can neither avoid nor silence that. */
  #complain(text: string): void {
    if (!/WebSocket connection to '[^']+' failed|net::ERR_(?:CONNECTION_REFUSED|INTERNET_DISCONNECTED)/.test(text))
      this.#complaints.push(text);
  }
}
