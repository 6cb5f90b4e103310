import type { SessionStatus } from '../../client/index';

/** What is shown of a session's status. */
export interface StatusText {
  readonly text: string;
  readonly kind: 'good' | 'busy' | 'warn' | 'bad';
}

const OPENING: StatusText = { text: 'opening', kind: 'busy' };

/** The truth in a few words. `isOpen`: the document is shown, so that to connect is to come back. */
export function statusText(status: SessionStatus, isOpen: boolean): StatusText {
  switch (status.state) {
    case 'idle':
      return OPENING;
    case 'connecting':
      return isOpen ? { text: withKept('reconnecting', status.unsent + status.ordered), kind: 'busy' } : OPENING;
    case 'synced':
      return isOpen ? { text: 'saved', kind: 'good' } : OPENING;
    case 'read-only':
      return isOpen ? { text: 'read only', kind: 'busy' } : OPENING;
    case 'saving':
      return isOpen ? { text: `saving ${status.unsent + status.ordered}`, kind: 'busy' } : OPENING;
    case 'offline':
      return { text: withKept('offline', status.unsent + status.ordered), kind: 'warn' };
    case 'refused':
      return { text: `refused: ${status.reason.message}`, kind: 'bad' };
    case 'closed':
      return { text: 'closed', kind: 'bad' };
  }
}

const withKept = (state: string, kept: number): string =>
  kept === 0 ? state : `${state}, ${kept} ${kept === 1 ? 'edit' : 'edits'} kept here`;
