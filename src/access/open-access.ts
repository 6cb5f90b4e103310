import { FlowError } from '../protocol/errors';
import type { Authenticate, Authorize } from './access';

/** Who gives no name. */
const ANONYMOUS = 'anonymous';
const NAME = /^[\p{L}\p{N}._~@ -]{1,64}$/u;

/** AUTH_MODE=open: everyone is who they say. For trying it out and for networks where everyone is trusted. */
export const openAuthenticate: Authenticate = ({ token }) => {
  if (token === undefined || token === '') return { userId: ANONYMOUS };
  if (!NAME.test(token))
    throw new FlowError('UNAUTHENTICATED', 'A name has 1 to 64 letters, digits, spaces or . _ ~ @ -');
  return { userId: token };
};

/** Everyone may edit; who made a session owns it. */
export const openAuthorize: Authorize = ({ userId }, session) => (session.createdBy === userId ? 'owner' : 'editor');
