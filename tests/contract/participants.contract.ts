import type { Participant } from '../../src/protocol/schemas';
import type { Participants } from '../../src/sessions/participants';

export const LEASE_MS = 3_000;

/** Two instances on one backend, with leases of LEASE_MS. */
export interface ParticipantNodes {
  readonly one: Participants;
  readonly other: Participants;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const person = (connectionId: string, role: Participant['role'] = 'editor'): Participant => ({
  connectionId,
  clientId: `client-of-${connectionId}`,
  userId: `user-of-${connectionId}`,
  role,
});

const byConnection = (people: readonly Participant[]): Participant[] =>
  [...people].sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));

export function participantsContract(backend: string, start: () => Promise<ParticipantNodes>): void {
  describe(`participants on ${backend}`, () => {
    let nodes: ParticipantNodes;
    let one: Participants;
    let other: Participants;

    beforeEach(async () => {
      nodes = await start();
      ({ one, other } = nodes);
    });

    afterEach(() => nodes.stop());

    const listed = async (sessionId: string) => byConnection(await other.list(sessionId));

    test('who joins is told of everyone who is here, themselves included', async () => {
      expect(await one.join('s', person('a'))).toEqual([person('a')]);
      expect(byConnection(await other.join('s', person('b', 'viewer')))).toEqual([person('a'), person('b', 'viewer')]);
      expect(await listed('s')).toEqual([person('a'), person('b', 'viewer')]);
    });

    test('a connection that joins again replaces what it was', async () => {
      await one.join('s', person('a'));
      const promoted = { ...person('a', 'owner'), clientId: 'another-client' };
      expect(await one.join('s', promoted)).toEqual([promoted]);
    });

    test('sessions do not know of each other, and a session nobody joined is empty', async () => {
      await one.join('s', person('a'));
      await one.join('t', person('a'));
      await one.leave('s', 'a');
      expect(await listed('s')).toEqual([]);
      expect(await listed('t')).toEqual([person('a')]);
      expect(await listed('nobody')).toEqual([]);
    });

    test('who leaves is gone; who was not here may leave too', async () => {
      await one.join('s', person('a'));
      await one.join('s', person('b'));
      await one.leave('s', 'a');
      await one.leave('s', 'a');
      await one.leave('nobody', 'a');
      expect(await listed('s')).toEqual([person('b')]);
    });

    test('who is not renewed is gone when the lease ends', async () => {
      await one.join('s', person('a'));
      await nodes.pass(LEASE_MS / 2);
      await one.join('s', person('b'));
      expect(await listed('s')).toEqual([person('a'), person('b')]);
      await nodes.pass(LEASE_MS / 2);
      expect(await listed('s')).toEqual([person('b')]);
      expect(await one.join('s', person('c'))).not.toContainEqual(person('a'));
    });

    test('who is renewed stays, in all sessions', async () => {
      await one.join('s', person('a'));
      await one.join('t', person('a'));
      await one.join('s', person('b'));
      for (let third = 0; third < 6; third += 1) {
        await nodes.pass(LEASE_MS / 3);
        await one.renew(['a', 'nobody']);
      }
      expect(await listed('s')).toEqual([person('a')]);
      expect(await listed('t')).toEqual([person('a')]);
      await one.renew([]);
    });

    test('a sweep answers whose lease has ended, each once', async () => {
      await one.join('s', person('a'));
      await one.join('t', person('b'));
      await one.join('t', person('c'));
      await nodes.pass(LEASE_MS / 2);
      await one.renew(['c']);
      await nodes.pass(LEASE_MS / 2);
      const swept = [...(await one.sweep()), ...(await other.sweep())];
      expect(swept).toHaveLength(2);
      expect(swept).toContainEqual({ sessionId: 's', participant: person('a') });
      expect(swept).toContainEqual({ sessionId: 't', participant: person('b') });
      expect([...(await one.sweep()), ...(await other.sweep())]).toEqual([]);
      expect(await listed('t')).toEqual([person('c')]);
    });

    test('who left or came back is not swept', async () => {
      await one.join('s', person('a'));
      await one.join('s', person('b'));
      await nodes.pass(LEASE_MS / 2);
      await one.leave('s', 'a');
      await one.join('s', person('b'));
      await nodes.pass(LEASE_MS / 2);
      expect(await one.sweep()).toEqual([]);
      expect(await listed('s')).toEqual([person('b')]);
    });
  });
}
