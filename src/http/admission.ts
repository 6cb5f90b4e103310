import type { User } from '../access/access';
import { FlowError } from '../protocol/errors';
import type { Role, SessionInfo } from '../protocol/schemas';
import type { HttpServices } from './http-services';

export interface Admission {
  readonly session: SessionInfo;
  readonly role: Role;
}

/** The session, if there is one that the user may know of; who has no role in it hears the same as if there were none. */
export async function admit(
  { collaboration, authorize }: Pick<HttpServices, 'collaboration' | 'authorize'>,
  user: User,
  sessionId: string,
): Promise<Admission> {
  const session = await collaboration.get(sessionId);
  const role = session && (await authorize(user, session));
  if (!role) throw new FlowError('SESSION_NOT_FOUND');
  return { session, role };
}

export function demandRole(role: Role, allowed: readonly Role[]): void {
  if (!allowed.includes(role))
    throw new FlowError('FORBIDDEN', `The role ${role} may not do this; it takes: ${allowed.join(', ')}.`);
}
