import type { z } from 'zod';
import type { User } from '../access/access';
import { parse } from '../lib/parse';
import type { Endpoint } from './endpoints';

/** A request as it came in, before anything of it is believed. */
export interface Incoming {
  /** Where the router is mounted; empty at the root. */
  readonly mountPath: string;
  readonly params: unknown;
  readonly query: unknown;
  /** Reads and parses the body; undefined when there is none. */
  readBody(): Promise<unknown>;
  /** Who calls. Rejects with UNAUTHENTICATED. */
  identify(): Promise<User>;
  /** Whether an administrator calls; nobody need say who they are. Rejects with UNAUTHENTICATED. */
  isAdministrator(): Promise<boolean>;
}

/** What a handler gets: everything matches its endpoint's schemas. */
export interface Call<E extends Endpoint> {
  readonly mountPath: string;
  readonly params: z.output<E['params']>;
  readonly query: z.output<E['query']>;
  readonly body: z.output<E['body']>;
}

interface AnswerHead {
  /** The endpoint's usual one unless given. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler answers; `Json` is what the endpoint's reply schema describes. */
export type Answer<Json = unknown> = AnswerHead &
  (
    | { readonly kind: 'json'; readonly value: Json }
    | { readonly kind: 'empty' }
    /** `content` as it is; JSON text when the media type says so. */
    | { readonly kind: 'raw'; readonly mediaType: string; readonly content: string | Uint8Array }
    /** Too long to be held as a whole. */
    | { readonly kind: 'stream'; readonly mediaType: string; readonly chunks: AsyncIterable<string> }
  );

/** An endpoint and what answers it. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly answer: (incoming: Incoming) => Promise<Answer>;
}

type Handle<E extends Endpoint, Extra = unknown> = (
  call: Call<E> & Extra,
) => Promise<Answer<z.output<E['reply']>>> | Answer<z.output<E['reply']>>;

/** Answers an endpoint that everyone may ask. */
export function serve<E extends Endpoint & { access: 'public' }>(endpoint: E, handle: Handle<E>): Route {
  return { endpoint, answer: async (incoming) => handle(await check(endpoint, incoming)) };
}

/** Answers an endpoint that everyone may ask, and administrators get more of. */
export function serveTiered<E extends Endpoint & { access: 'tiered' }>(
  endpoint: E,
  handle: Handle<E, { isAdministrator: boolean }>,
): Route {
  return {
    endpoint,
    answer: async (incoming) => {
      const isAdministrator = await incoming.isAdministrator();
      return handle({ ...(await check(endpoint, incoming)), isAdministrator });
    },
  };
}

/** Answers an endpoint that asks who calls; nothing of a stranger's request is read. */
export function serveUser<E extends Endpoint & { access: 'user' }>(
  endpoint: E,
  handle: Handle<E, { user: User }>,
): Route {
  return {
    endpoint,
    answer: async (incoming) => {
      const user = await incoming.identify();
      return handle({ ...(await check(endpoint, incoming)), user });
    },
  };
}

async function check<E extends Endpoint>(endpoint: E, incoming: Incoming): Promise<Call<E>> {
  const { mountPath, params, query } = incoming;
  return {
    mountPath,
    params: parse<E['params']>(endpoint.params, params),
    query: parse<E['query']>(endpoint.query, query),
    body: parse<E['body']>(endpoint.body, await incoming.readBody()),
  };
}
