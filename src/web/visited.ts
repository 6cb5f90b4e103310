/** A document that was open in this browser. */
export interface Visited {
  readonly sessionId: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
}

const KEY = 'flow-visited';
/** More than anybody looks through. */
const MOST = 100;

/** Documents that were open here, the last one first: also those that others made. */
export function visited(): Visited[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as Visited[];
  } catch {
    return [];
  }
}

export function noteVisit({ sessionId, title }: Omit<Visited, 'openedAt'>): void {
  write([{ sessionId, title, openedAt: new Date().getTime() }, ...without(sessionId)]);
}

export const forgetVisit = (sessionId: string): void => write(without(sessionId));

const without = (sessionId: string): Visited[] => visited().filter((one) => one.sessionId !== sessionId);

const write = (all: readonly Visited[]): void => localStorage.setItem(KEY, JSON.stringify(all.slice(0, MOST)));
