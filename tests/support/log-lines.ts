import { createLogger, type Logger } from '../../src/lib/logger';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

/** A logger whose lines can be looked at. */
export function logLines(): { lines: LogLine[]; log: Logger } {
  const lines: LogLine[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as LogLine);
  return { lines, log: createLogger({ level: 'debug', instanceId: 'one' }, { write }) };
}
