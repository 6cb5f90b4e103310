import type { Answer, ConnectionEvents, ConnectionStatus, Link } from '../../../src/client/connection';
import { Emitter } from '../../../src/client/emitter';
import { readRefusal, unanswered } from '../../../src/client/refusals';
import type { Clock } from '../../../src/client/timers';
import { FlowError } from '../../../src/protocol/errors';
import type { Announcements, Replies, RequestInputs, RequestName } from '../../../src/protocol/schemas';
import type { SimulatedPeer, SimulatedServer } from './simulated-server';

/** Time that moves only when the schedule says so. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #timers: Array<{ atMs: number; run: () => void }> = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get size(): number {
    return this.#timers.length;
  }

  /** Runs the next timer, if there is one within `withinMs`. */
  runNext(withinMs: number): boolean {
    const [next] = this.#timers.sort((a, b) => a.atMs - b.atMs);
    if (!next || next.atMs > this.#nowMs + withinMs) return false;
    this.#timers.shift();
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.run();
    return true;
  }
}

/**
 * A connection whose messages travel only when the schedule says so. When it is cut, what was on its way to the server may
 * still arrive, late; what was on its way back never does.
 */
export class SimulatedLink implements Link {
  readonly events = new Emitter<ConnectionEvents>();
  readonly announcements = new Emitter<Announcements>();
  readonly toServer: Array<() => void> = [];
  readonly toClient: Array<() => void> = [];
  /** Sent on a connection that is no more, and not yet arrived. */
  readonly late: Array<() => void> = [];
  status: ConnectionStatus = { state: 'idle' };
  readonly #server: SimulatedServer;
  #peer: SimulatedPeer | null = null;
  #unanswered = new Set<() => void>();

  constructor(server: SimulatedServer) {
    this.#server = server;
  }

  get isConnected(): boolean {
    return this.status.state === 'connected';
  }

  connect(): void {
    if (this.status.state === 'idle') this.#setStatus({ state: 'connecting' });
  }

  recycle(): void {
    this.cut(() => false);
  }

  open(): void {
    if (this.isConnected) return;
    const peer: SimulatedPeer = {
      announce: (name, payload) => this.#backward(peer, () => this.announcements.emit(name, payload)),
    };
    this.#peer = peer;
    this.#setStatus({ state: 'connected' });
  }

  cut(mayArriveLate: () => boolean): void {
    if (!this.isConnected) return;
    const peer = this.#peer;
    this.#peer = null;
    for (const arrive of this.toServer.splice(0)) {
      // Later bytes of a stream do not arrive without the earlier ones.
      if (!mayArriveLate()) break;
      this.late.push(arrive);
    }
    this.toClient.length = 0;
    if (peer) this.#server.members.delete(peer);
    this.#setStatus({ state: 'waiting', retryInMs: 1, reason: 'cut' });
    for (const fail of [...this.#unanswered]) fail();
  }

  send(): void {}

  request<Name extends RequestName>(
    name: Name,
    payload: RequestInputs[Name],
    _deadlineMs: number,
    answer: Answer<Name>,
  ): void {
    this.#ask(name, payload, answer, () => true);
  }

  submit(
    payload: RequestInputs['operation:submit'],
    _deadlineMs: number,
    answer: Answer<'operation:submit'>,
  ): () => void {
    return this.#ask(
      'operation:submit',
      payload,
      answer,
      ({ duplicate }, peer) => duplicate === true || !this.#server.members.get(peer)?.isInRoom,
    );
  }

  #ask<Name extends RequestName>(
    name: Name,
    payload: RequestInputs[Name],
    answer: Answer<Name>,
    isAnswered: (reply: Replies[Name], peer: SimulatedPeer) => boolean,
  ): () => void {
    const peer = this.#peer;
    if (!peer) {
      answer.onRefusal(unanswered('no connection'));
      return () => {};
    }
    // A copy, because the wire makes one.
    const request: RequestInputs[Name] = JSON.parse(JSON.stringify(payload));
    const fail = (): void => {
      if (this.#unanswered.delete(fail)) answer.onRefusal(unanswered('cut'));
    };
    this.#unanswered.add(fail);
    const speaker = this.#server.members.get(peer)?.clientId;
    this.toServer.push(() => {
      const reply = this.#carryOut(name, request, peer, speaker);
      if (!(reply instanceof FlowError) && !isAnswered(reply as Replies[Name], peer)) return;
      this.#backward(peer, () => {
        if (!this.#unanswered.delete(fail)) return;
        if (reply instanceof FlowError) answer.onRefusal(readRefusal(reply.toWire()) ?? unanswered('malformed'));
        else answer.onReply(JSON.parse(JSON.stringify(reply)));
      });
    });
    return () => void this.#unanswered.delete(fail);
  }

  #carryOut<Name extends RequestName>(
    name: Name,
    request: RequestInputs[RequestName],
    peer: SimulatedPeer,
    speaker: string | undefined,
  ): Replies[RequestName] | FlowError {
    try {
      if (name === 'session:join' && peer === this.#peer)
        return this.#server.join(peer, request as RequestInputs['session:join']);
      if (name === 'operation:catch-up')
        return this.#server.catchUp(peer, request as RequestInputs['operation:catch-up']);
      if (name !== 'operation:submit') return new FlowError('NOT_JOINED');
      const member = peer === this.#peer ? this.#server.members.get(peer)?.clientId : speaker;
      return this.#server.submit(member, request as RequestInputs['operation:submit']);
    } catch (error) {
      if (error instanceof FlowError) return error;
      throw error;
    }
  }

  #backward(peer: SimulatedPeer | null, arrive: () => void): void {
    if (peer !== null && peer === this.#peer) this.toClient.push(arrive);
  }

  #setStatus(status: ConnectionStatus): void {
    this.status = status;
    this.events.emit('status', status);
  }
}
