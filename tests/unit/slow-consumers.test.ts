import { createLogger } from '../../src/lib/logger';
import { SlowConsumers } from '../../src/live/slow-consumers';
import { Telemetry } from '../../src/telemetry/telemetry';

const MAX = 1_000;

describe('[DL6] who reads too slowly', () => {
  let unread: number;
  let disconnected: string[];
  let telemetry: Telemetry;
  let slowConsumers: SlowConsumers;

  beforeEach(() => {
    unread = 0;
    disconnected = [];
    telemetry = new Telemetry();
    slowConsumers = new SlowConsumers({
      sockets: { backlogBytes: () => unread, disconnectHere: (connectionId) => disconnected.push(connectionId) },
      telemetry,
      log: createLogger({ level: 'silent', instanceId: 'i' }),
      maxUnreadBytes: MAX,
    });
  });

  const reply = (bytes: number): void =>
    slowConsumers.reply('ada', () => {
      unread += bytes;
    });

  test('is cut off beyond the bound, and counted', () => {
    unread = MAX;
    expect(slowConsumers.cutOff('ada')).toBe(false);
    unread = MAX + 1;
    expect(slowConsumers.cutOff('ada')).toBe(true);
    expect(disconnected).toEqual(['ada']);
    expect(telemetry.slowConsumersCut.count).toBe(1);
  });

  test('is not who has been sent a long reply; only what comes on top of it counts', () => {
    unread = 200;
    reply(5_000);
    unread += MAX - 200;
    expect(slowConsumers.cutOff('ada')).toBe(false);
    expect(slowConsumers.cutOff('bob')).toBe(true);
    unread += 1;
    expect(slowConsumers.cutOff('ada')).toBe(true);
  });

  test('has nothing left of the allowance once the reply is read', () => {
    reply(5_000);
    unread = MAX;
    expect(slowConsumers.cutOff('ada')).toBe(false);
    unread = MAX + 1;
    expect(slowConsumers.cutOff('ada')).toBe(true);
  });

  test('has one allowance, however many replies were read', () => {
    for (let replies = 0; replies < 10; replies += 1) {
      unread = 0;
      reply(5_000);
    }
    unread = 5_000 + MAX + 1;
    expect(slowConsumers.cutOff('ada')).toBe(true);
  });

  test('leaves nothing behind', () => {
    reply(5_000);
    slowConsumers.forget('ada');
    expect(slowConsumers.cutOff('ada')).toBe(true);
  });
});
