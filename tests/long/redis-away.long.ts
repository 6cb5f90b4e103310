import { redisAwaySuite } from '../redis/away.contract';

redisAwaySuite('a minute', 60_000, { maxLines: 80, maxGrownBytes: 150 * 2 ** 20, leastHeld: 1_000 });
