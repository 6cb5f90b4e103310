import type { Announcements, Participant } from '../protocol/schemas';

/** Who is in the session, by connection. */
export class Roster {
  #participants = new Map<string, Participant>();

  get list(): readonly Participant[] {
    return [...this.#participants.values()];
  }

  begin(participants: readonly Participant[]): void {
    this.#participants = new Map(participants.map((participant) => [participant.connectionId, participant]));
  }

  change({ joined, left }: Announcements['session:participants']): void {
    for (const { connectionId } of left) this.#participants.delete(connectionId);
    for (const participant of joined) this.#participants.set(participant.connectionId, participant);
  }
}
