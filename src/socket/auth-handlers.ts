import type { Authentication } from '../access/authentication';
import { FlowError } from '../protocol/errors';
import type { Connection } from './connection';
import type { SignIn } from './sign-in';

/** auth:renew. */
export function serveAuth(
  connection: Connection,
  { signIn, authentication }: { signIn: SignIn; authentication: Authentication },
): void {
  connection.serve('auth:renew', async ({ token }, respond) => {
    const user = await authentication.identify({ ...signIn.shown, token });
    if (user.userId !== signIn.user.userId) throw new FlowError('FORBIDDEN', 'The token is of another user.');
    const { isAdministrator } = signIn.user;
    signIn.renew(user);
    if (user.isAdministrator !== isAdministrator) connection.sessions.reviewAccess(connection.connectionId);
    respond(signIn.expiry);
  });
}
