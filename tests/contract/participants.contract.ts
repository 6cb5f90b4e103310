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

    test('who joins is here for all instances', async () => {
      await one.join('s', person('a'));
      await other.join('s', person('b', 'viewer'));
      expect(await listed('s')).toEqual([person('a'), person('b', 'viewer')]);
      expect(byConnection(await one.list('s'))).toEqual([person('a'), person('b', 'viewer')]);
    });

    test('who joins later, wherever, hears of a later time', async () => {
      const first = await one.join('s', person('a'));
      await nodes.pass(1);
      const second = await other.join('s', person('b'));
      await nodes.pass(1);
      expect(second).toBeGreaterThanOrEqual(first);
      expect(await one.join('s', person('a'))).toBeGreaterThanOrEqual(second);
    });

    test('a connection that joins again replaces what it was', async () => {
      await one.join('s', person('a'));
      const promoted = { ...person('a', 'owner'), clientId: 'another-client' };
      await one.join('s', promoted);
      expect(await listed('s')).toEqual([promoted]);
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

    test('a renewal says in which sessions there are others', async () => {
      for (const sessionId of ['alone', 'shared', 'left']) await one.join(sessionId, person('a'));
      await one.join('shared', person('b'));
      await one.join('left', person('b'));
      await one.leave('left', 'b');
      expect(await one.renew(['a'])).toEqual(new Set(['shared']));
      expect(await one.renew(['a', 'b'])).toEqual(new Set());
      expect(await one.renew(['nobody'])).toEqual(new Set());
    });

    test('a renewal forgets those whose lease has ended', async () => {
      await one.join('s', person('a'));
      await one.join('s', person('b'));
      await nodes.pass(LEASE_MS / 2);
      expect(await one.renew(['a'])).toEqual(new Set(['s']));
      await nodes.pass(LEASE_MS / 2);
      expect(await one.renew(['a'])).toEqual(new Set());
      expect(await listed('s')).toEqual([person('a')]);
    });

    test('who came back is not forgotten', async () => {
      await one.join('s', person('a'));
      await one.join('s', person('b'));
      await nodes.pass(LEASE_MS / 2);
      await one.join('s', person('b'));
      await nodes.pass(LEASE_MS / 2);
      await one.renew(['a']);
      expect(await listed('s')).toEqual([person('a'), person('b')]);
    });
  });
}
