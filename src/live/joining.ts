import type { User } from '../access/access';
import { demandMay, REQUEST_ACTIONS } from '../access/permissions';
import type { WebSocketManager } from '../connections/websocket-manager';
import { toWireEntry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { Mark } from '../protocol/positions';
import type { Participant, Replies, Requests, SessionInfo } from '../protocol/schemas';
import type { Participants } from '../sessions/participants';
import type { Admission } from './admission';
import type { Audience, Page } from './audience';
import type { Company } from './company';
import type { Feed } from './feed';
import type { History } from './history';
import type { OperationLimits } from './operations';
import type { SavedPosition } from './saved-position';
import type { Standing } from './standing';

/** A page of the wire holds at most so many entries unless the client asks for fewer. */
const PAGE_ENTRIES = 5_000;

/** How long somebody waits for whom there is no room: until somebody leaves. */
const FULL_RETRY_MS = 5_000;

/** A connection on its way in. */
export interface Joiner {
  readonly connectionId: string;
  /** As of now: the token may be another one than at first, the `userId` never. */
  readonly user: () => User;
  readonly isAlive: () => boolean;
}

/** The rooms of the session that is joined. */
interface Rooms {
  readonly feed: Feed;
  readonly history: History;
  readonly admission: Admission;
  readonly saved: SavedPosition;
  readonly audience: Audience;
  readonly company: Company;
  readonly info: () => SessionInfo;
  /** Throws where nothing is accepted. */
  readonly demandOpen: () => void;
}

interface JoiningServices {
  readonly participants: Participants;
  readonly sockets: WebSocketManager;
  readonly limits: OperationLimits & { readonly maxParticipants: number };
}

/** Brings connections into one session: tells them its history, page by page, and who else is there (DL1). */
export class Joining {
  readonly #sessionId: string;
  readonly #services: JoiningServices;
  readonly #rooms: Rooms;

  constructor(sessionId: string, services: JoiningServices, rooms: Rooms) {
    this.#sessionId = sessionId;
    this.#services = services;
    this.#rooms = rooms;
  }

  async join(
    { connectionId, isAlive }: Pick<Joiner, 'connectionId' | 'isAlive'>,
    request: Requests['session:join'],
    standing: Standing,
    respond: (reply: Replies['session:join']) => void,
  ): Promise<void> {
    const { feed, history, admission, saved, audience, company, info } = this.#rooms;
    const { participants, limits } = this.#services;
    const { userId } = standing.user;
    try {
      const client = await admission.admitClient(userId, request.client);
      // Whoever comes from another instance may have heard more than has come here yet.
      if (request.have) await feed.reach(request.have.head.seq);
      const way = await history.wayIn(feed.tail, request);
      if (way.resume !== 'continue') admission.demandNothingLost(request.have);
      await company.ready();
      await standing.sure();
      const { role } = standing;
      demandMay(role, REQUEST_ACTIONS['session:join']);
      const participant: Participant = { connectionId, clientId: client.clientId, userId, role };
      this.#demandRoomFor(participant);
      const since = await participants.join(this.#sessionId, participant);
      await this.#page(way.after, PAGE_ENTRIES, (page) => {
        if (!isAlive()) return;
        // What has become of the role since is told in a moment; who has none any more does not come in.
        demandMay(standing.role, REQUEST_ACTIONS['session:join']);
        const { after: _, ...resume } = way;
        // Whom this client's new connection replaces hears by a batch, and not otherwise, what became of the last it sent.
        audience.announce();
        company.add({ participant, since }, standing);
        audience.seat(connectionId, page);
        respond({
          session: info(),
          client,
          role,
          head: feed.position,
          saved: { epoch: feed.tail.epoch, ...saved.mark },
          ...resume,
          entries: page.entries.map(toWireEntry),
          next: page.next,
          more: page.more,
          participants: company.everyone(),
          awareness: company.states(),
          limits: {
            operationBytes: limits.maxOperationBytes,
            batchOperations: limits.maxBatchOperations,
            batchBytes: limits.maxBatchBytes,
          },
        });
      });
    } finally {
      if (!company.members.has(connectionId)) await participants.leave(this.#sessionId, connectionId);
    }
  }

  async catchUp(
    connectionId: string,
    { after, limit }: Requests['operation:catch-up'],
    respond: (reply: Replies['operation:catch-up']) => void,
  ): Promise<void> {
    const { feed, saved, audience, company, info } = this.#rooms;
    const { sockets } = this.#services;
    company.members.get(connectionId);
    // Who is seated already reads the past and goes on hearing what comes next.
    const isSeated = sockets.membersHere(this.#sessionId).has(connectionId);
    await this.#page(after, limit ?? PAGE_ENTRIES, (page) => {
      company.members.get(connectionId);
      if (!isSeated) audience.seat(connectionId, page);
      respond({
        entries: page.entries.map(toWireEntry),
        head: feed.position,
        next: page.next,
        more: page.more,
        // While it paged, nobody told it what was saved, whether the title changed, who came, who left and who points where.
        ...(isSeated || page.more
          ? {}
          : {
              saved: { epoch: feed.tail.epoch, ...saved.mark },
              session: info(),
              participants: company.everyone(),
              awareness: company.states(),
            }),
      });
    });
  }

  /** An older connection of the same client makes room. */
  #demandRoomFor({ clientId }: Participant): void {
    const { maxParticipants } = this.#services.limits;
    if (maxParticipants === 0) return;
    const others = this.#rooms.company.everyone().filter((other) => other.clientId !== clientId);
    if (others.length < maxParticipants) return;
    const message = `There are ${others.length} in this session, as many as may be.`;
    throw new FlowError('RATE_LIMITED', message, { retryAfterMs: FULL_RETRY_MS });
  }

  async #page(after: Mark, maxEntries: number, hand: (page: Page) => void): Promise<void> {
    const { feed, audience, demandOpen } = this.#rooms;
    await audience.page({ tailNow: () => feed.tail, demandOpen }, after, maxEntries, (page) => {
      // The log has been read beyond the tail: it lags behind.
      if (page.next.seq > feed.position.seq) void feed.repair();
      hand(page);
    });
  }
}
