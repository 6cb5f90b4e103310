import { randomBytes } from 'node:crypto';
import { FlowError } from '../protocol/errors';
import type { Authenticate } from './access';

/** Who calls over HTTP and gives no name. */
const ANONYMOUS = 'anonymous';
const GUEST = 'guest-';
/** Short enough to read, long enough that no two who are connected at a time have the same. */
const GUEST_BYTES = 5;
const NAME = /^[\p{L}\p{N}._~@ -]{1,64}$/u;

/**
 * AUTH_MODE=open: everyone is who they say, and a connection without a name gets one. For trying it out and for networks where everyone is
 * trusted. Names are nobody's, so there are no devices to revoke.
 */
export const openAuthenticate: Authenticate = ({ token, via }) => {
  if (token === undefined || token === '') return { userId: via === 'socket' ? guest() : ANONYMOUS, deviceId: null };
  if (!NAME.test(token))
    throw new FlowError('UNAUTHENTICATED', 'A name has 1 to 64 letters, digits, spaces or . _ ~ @ -');
  return { userId: token, deviceId: null };
};

/** A guest has another name after each reconnect, and is to be known by the same client id: what that is signed for. */
export const ownerOfGuests = (userId: string): string => (userId.startsWith(GUEST) ? GUEST : userId);

const guest = (): string => `${GUEST}${randomBytes(GUEST_BYTES).toString('hex')}`;
