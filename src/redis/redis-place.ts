import type { HostPort, RedisSettings } from '../../config/redis-settings';

/** Where Redis is: for messages. */
export interface RedisPlace {
  /** Without credentials. */
  readonly address: string;
  /** The variables that say so. */
  readonly variables: string;
}

export function placeOf({ target, isTls }: RedisSettings): RedisPlace {
  // A Redis that does not speak TLS waits for the end of a line, for ever.
  const tls = isTls ? ', and REDIS_TLS' : '';
  const list = (hosts: readonly HostPort[]): string => hosts.map(({ host, port }) => `${host}:${port}`).join(', ');
  switch (target.kind) {
    case 'single':
      return { address: list([target]), variables: `REDIS_HOST and REDIS_PORT, or REDIS_URL${tls}` };
    case 'sentinel':
      return {
        address: `${target.name} behind sentinels ${list(target.sentinels)}`,
        variables: `REDIS_SENTINELS and REDIS_SENTINEL_NAME${tls}`,
      };
    case 'cluster':
      return { address: `cluster ${list(target.nodes)}`, variables: `REDIS_CLUSTER_NODES${tls}` };
  }
}
