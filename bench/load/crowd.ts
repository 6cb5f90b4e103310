import type { SystemName } from '../harness/server';
import { Samples } from '../harness/statistics';
import { connectEditor, type Editor } from './editor';
import { atRandom } from './schedule';

interface Member {
  readonly editor: Editor;
  readonly room: Room;
  readonly updates: readonly string[];
  sent: number;
  /** Of the nth edit (index n − 1): when it was due, and when it went out. */
  readonly due: Float64Array;
  readonly sentAt: Float64Array;
}

interface Room {
  readonly members: Member[];
  /** Edits of all members. */
  sent: number;
}

export interface Window {
  /** Edits times the clients they go to. */
  readonly deliveries: number;
  readonly frames: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly sentP50Ms: number;
  readonly sentP99Ms: number;
  readonly loadLateP99Ms: number;
}

/** Rooms full of people who type; one of each room watches how long the others' edits take. */
export class Crowd {
  readonly #updates: readonly string[][];
  readonly #rooms: Room[] = [];
  readonly #members: Member[] = [];
  #fromDue = new Samples();
  #fromSent = new Samples();
  #late = new Samples();
  #deliveries = 0;
  #before = { frames: 0, bytes: 0 };
  #windowBeganAt = Number.POSITIVE_INFINITY;

  /** `updates`: what each client types, one list per client. */
  constructor(updates: readonly string[][]) {
    this.#updates = updates;
  }

  /** `ports`: of the instances; the clients of each room are spread over them. */
  async connect(
    system: SystemName,
    ports: readonly number[],
    { sessions, clientsPerSession }: { sessions: number; clientsPerSession: number },
  ): Promise<void> {
    for (let index = 0; index < sessions; index += 1) {
      const room: Room = { members: [], sent: 0 };
      this.#rooms.push(room);
      const authors = new Map<string, number>();
      // Not always the one who is served first, or last.
      const watcher = index % clientsPerSession;
      for (let seat = 0; seat < clientsPerSession; seat += 1) {
        const watch = seat === watcher ? { onEdit: this.#watch(room, seat) } : {};
        const port = ports[seat % ports.length] ?? 0;
        const editor = await connectEditor(system, { port, room: `room-${index}`, index: seat, authors, ...watch });
        const updates = this.#updates[this.#members.length] ?? [];
        const due = new Float64Array(updates.length);
        const member: Member = { editor, room, updates, sent: 0, due, sentAt: new Float64Array(updates.length) };
        room.members.push(member);
        this.#members.push(member);
      }
    }
  }

  /** Everyone types at this rate for a while, each at their own random moments. */
  async type({ perSecond, durationMs }: { perSecond: number; durationMs: number }): Promise<void> {
    const count = this.#members.length;
    // Independent Poisson processes together are one, of which each event is anybody's.
    await atRandom({ perSecond: perSecond * count, durationMs }, (due, now) => {
      const member = this.#members[Math.floor(Math.random() * count)];
      const update = member?.updates[member.sent];
      if (!member || update === undefined) throw new Error('a client has nothing left to type');
      member.due[member.sent] = due;
      member.sentAt[member.sent] = now;
      member.sent += 1;
      member.room.sent += 1;
      member.editor.send(member.sent, update);
      this.#late.add(now - due);
      this.#deliveries += member.room.members.length;
    });
  }

  beginWindow(): void {
    this.#fromDue = new Samples();
    this.#fromSent = new Samples();
    this.#late = new Samples();
    this.#deliveries = 0;
    this.#before = this.#traffic();
    this.#windowBeganAt = performance.now();
  }

  endWindow(): Window {
    const { frames, bytes } = this.#traffic();
    return {
      deliveries: this.#deliveries,
      frames: frames - this.#before.frames,
      bytes: bytes - this.#before.bytes,
      p50Ms: this.#fromDue.percentile(0.5),
      p99Ms: this.#fromDue.percentile(0.99),
      sentP50Ms: this.#fromSent.percentile(0.5),
      sentP99Ms: this.#fromSent.percentile(0.99),
      loadLateP99Ms: this.#late.percentile(0.99),
    };
  }

  /** Whether every edit has reached every client of its room and, where the server says so, is saved. Throws if any was refused. */
  isComplete(): boolean {
    return this.#members.every(({ editor, room }) => {
      const [refusal] = editor.refusals();
      if (refusal !== undefined) throw new Error(`an edit was refused: ${refusal}`);
      return editor.received() === room.sent && (editor.saved() ?? room.sent) === room.sent;
    });
  }

  disconnect(): void {
    for (const { editor } of this.#members) editor.close();
  }

  #watch(room: Room, seat: number): (author: number, n: number, at: number) => void {
    const seen: number[] = [];
    return (author, n, at) => {
      if (n !== (seen[author] ?? 0) + 1)
        throw new Error(`edit ${n} of client ${author} came after ${seen[author] ?? 0}`);
      seen[author] = n;
      const due = room.members[author]?.due[n - 1];
      const sentAt = room.members[author]?.sentAt[n - 1];
      if (author === seat || due === undefined || sentAt === undefined || due < this.#windowBeganAt) return;
      this.#fromDue.add(at - due);
      this.#fromSent.add(at - sentAt);
    };
  }

  #traffic(): { frames: number; bytes: number } {
    const sum = { frames: 0, bytes: 0 };
    for (const { editor } of this.#members) {
      const { frames, bytes } = editor.traffic();
      sum.frames += frames;
      sum.bytes += bytes;
    }
    return sum;
  }
}
