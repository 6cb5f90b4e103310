import { elapse } from './harness/deadline';
import type { Report } from './harness/report';
import { MeasuredServer, SYSTEMS, type SingleSystemName } from './harness/server';
import { median } from './harness/statistics';
import { connectEditor } from './load/editor';
import { connectToFlow } from './load/flow-editor';
import { SessionField } from './load/session-field';
import { SocketIoLink } from './load/socket-io-link';

export interface MemorySizes {
  readonly connections: number;
  readonly sessions: number;
  readonly rounds: number;
  /** Before looking: what was begun is finished, and the collector has something to find. */
  readonly settleMs: number;
}

export const MEMORY: MemorySizes = { connections: 2_000, sessions: 5_000, rounds: 3, settleMs: 1_500 };

interface Growth {
  readonly what: string;
  readonly round: number;
  readonly emptyMiB: number;
  readonly rssKiBEach: number;
  readonly heapKiBEach: number;
}

/** Before counting, so that what a server sets up once is not counted as its connections'. */
const WARM_UP_SHARE = 0.1;
const KIB = 1_024;

interface Closable {
  close(): void;
}

/** Brings `count` of something into being on a server. */
type Grow = (port: number, count: number, from: number) => Promise<readonly Closable[]>;

const GROWTHS: ReadonlyArray<{
  what: string;
  system: SingleSystemName;
  grow: Grow;
  count: (sizes: MemorySizes) => number;
}> = [
  ...SYSTEMS.map((system) => ({
    what: `idle connection, ${system}`,
    system,
    grow: (port: number, count: number, from: number) => each(count, (index) => idle(system, port, from + index)),
    count: ({ connections }: MemorySizes) => connections,
  })),
  { what: 'open session, Flow', system: 'Flow', grow: openSessions, count: ({ sessions }) => sessions },
];

export async function memory(sizes: MemorySizes): Promise<Report> {
  const growths: Growth[] = [];
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const { what, system, grow, count } of GROWTHS) {
      growths.push({ what, round, ...(await measure(system, grow, count(sizes), sizes.settleMs)) });
    }
  }
  const of = (what: string): Growth[] => growths.filter((one) => one.what === what);
  const show = (what: string, pick: (one: Growth) => number): string => median(of(what).map(pick)).toFixed(1);
  return {
    question: `How much memory does the server need per idle connection and per open session? ${sizes.connections} connections, ${sizes.sessions} sessions.`,
    tables: [
      {
        title: `medians of ${sizes.rounds} rounds`,
        columns: ['one more', 'RSS KiB', 'of it heap KiB', 'RSS of the server before, MiB'],
        rows: GROWTHS.map(({ what }) => [
          what,
          show(what, (one) => one.rssKiBEach),
          show(what, (one) => one.heapKiBEach),
          show(what, (one) => one.emptyMiB),
        ]),
      },
    ],
    findings: [
      'An idle connection is signed in and has joined nothing (on the ws relay: is in a room of its own). An open session has two of twenty connections in it and no history.',
      'Read after a garbage collection before and after: what is counted is held, not left lying about.',
    ],
    notMeasured: ['the kernel’s socket buffers', 'sessions with a full ring (RING_BYTES bounds it)', 'TLS'],
    figures: { sizes, growths },
  };
}

async function measure(
  system: SingleSystemName,
  grow: Grow,
  count: number,
  settleMs: number,
): Promise<Omit<Growth, 'what' | 'round'>> {
  const server = await MeasuredServer.start(system, { nodeFlags: ['--expose-gc'] });
  const first = Math.ceil(count * WARM_UP_SHARE);
  const closables: Closable[] = [];
  try {
    closables.push(...(await grow(server.port, first, 0)));
    await elapse(settleMs);
    const before = await server.ask('collect-garbage');
    closables.push(...(await grow(server.port, count, first)));
    await elapse(settleMs);
    const after = await server.ask('collect-garbage');
    return {
      emptyMiB: before.rssBytes / KIB / KIB,
      rssKiBEach: (after.rssBytes - before.rssBytes) / KIB / count,
      heapKiBEach: (after.heapBytes - before.heapBytes) / KIB / count,
    };
  } finally {
    for (const closable of closables) closable.close();
    await server.stop();
  }
}

async function each(count: number, make: (index: number) => Promise<Closable>): Promise<Closable[]> {
  const made: Closable[] = [];
  for (let index = 0; index < count; index += 1) made.push(await make(index));
  return made;
}

function idle(system: SingleSystemName, port: number, index: number): Promise<Closable> {
  switch (system) {
    case 'ws relay':
      return connectEditor(system, { port, room: `room-${index}`, index, authors: new Map() });
    case 'Socket.IO relay':
      return SocketIoLink.connect(port, {});
    case 'Flow':
      return connectToFlow(port, `user-${index}`);
  }
}

async function openSessions(port: number, count: number, from: number): Promise<readonly Closable[]> {
  const field = new SessionField();
  await field.open(port, { sessions: count, connections: 20, from });
  return [field];
}
