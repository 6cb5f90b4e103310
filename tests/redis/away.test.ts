import { redisAwaySuite } from './away.contract';

redisAwaySuite('five seconds', 5_000, { maxLines: 40, maxGrownBytes: 100 * 2 ** 20, leastHeld: 50 });
