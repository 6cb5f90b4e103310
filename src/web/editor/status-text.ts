import type { SessionStatus } from '../../client/index';

/** What is shown of a session's status. */
export interface StatusText {
  readonly text: string;
  readonly kind: 'good' | 'busy' | 'warn' | 'bad';
}

/** The truth in a few words. `wasOpen`: the document was here before, so that to connect is to come back. */
export function statusText(status: SessionStatus, wasOpen: boolean): StatusText {
  switch (status.state) {
    case 'idle':
      return { text: 'opening', kind: 'busy' };
    case 'connecting': {
      const kept = status.unsent + status.ordered;
      return { text: wasOpen ? withKept('reconnecting', kept) : 'opening', kind: 'busy' };
    }
    case 'synced':
      return { text: 'saved', kind: 'good' };
    case 'read-only':
      return { text: 'read only', kind: 'busy' };
    case 'saving':
      return { text: `saving ${status.unsent + status.ordered}`, kind: 'busy' };
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
