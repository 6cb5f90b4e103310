import type { WebSocketManager } from '../connections/websocket-manager';
import type { Logger } from '../lib/logger';
import type { Telemetry } from '../telemetry/telemetry';

interface SlowConsumersOptions {
  readonly sockets: Pick<WebSocketManager, 'backlogBytes' | 'disconnectHere'>;
  readonly telemetry: Telemetry;
  readonly log: Logger;
  /** What a connection may leave unread. */
  readonly maxUnreadBytes: number;
}

/**
 * Cuts off connections that leave too much unread (DL6). How long a reply is that they asked for says nothing of how they read: a
 * snapshot alone may be more than the bound. So the latest reply is allowed on top, until less than the bound is unread.
 */
export class SlowConsumers {
  readonly #options: SlowConsumersOptions;
  /** Bytes of the latest reply, by connectionId. */
  readonly #replyBytes = new Map<string, number>();

  constructor(options: SlowConsumersOptions) {
    this.#options = options;
  }

  get maxUnreadBytes(): number {
    return this.#options.maxUnreadBytes;
  }

  /** Runs `reply`, which writes to this connection. The replies before it must have been read. */
  reply(connectionId: string, reply: () => void): void {
    const { sockets } = this.#options;
    const before = sockets.backlogBytes(connectionId);
    reply();
    const bytes = sockets.backlogBytes(connectionId) - before;
    if (bytes > 0) this.#replyBytes.set(connectionId, bytes);
    else this.#replyBytes.delete(connectionId);
  }

  /** Ends the connection if it reads too slowly, and says whether it did. */
  cutOff(connectionId: string): boolean {
    const { sockets, telemetry, log, maxUnreadBytes } = this.#options;
    const unreadBytes = sockets.backlogBytes(connectionId);
    if (unreadBytes <= maxUnreadBytes) {
      this.#replyBytes.delete(connectionId);
      return false;
    }
    if (unreadBytes <= maxUnreadBytes + (this.#replyBytes.get(connectionId) ?? 0)) return false;
    telemetry.slowConsumersCut.count += 1;
    log.info({ connectionId, unreadBytes }, 'slow consumer cut off');
    this.forget(connectionId);
    sockets.disconnectHere(connectionId);
    return true;
  }

  /** The connection is gone. */
  forget(connectionId: string): void {
    this.#replyBytes.delete(connectionId);
  }
}
