import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';

/** An IPv4 address as a socket for both families tells it. */
const MAPPED = /^::ffff:(?=\d+\.)/i;
/** As some proxies write addresses: with a port, or in brackets. */
const WRITTEN = /^(?:\[(?<v6>[^\]]+)\](?::\d+)?|(?<v4>[\d.]+)(?::\d+)?)$/;
/** What one household or host is given of IPv6, as groups of 16 bits. */
const NETWORK_GROUPS = 4;
const GROUPS = 8;

/**
 * The address a request came from. Each of our own proxies (`hops`) adds the one it was asked by to the end of X-Forwarded-For;
 * what stands before these, anybody may have written, and is not looked at.
 */
export function peerAddress({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>, hops: number): string {
  let address = plain(socket.remoteAddress ?? '');
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  for (const text of forwarded.reverse().slice(0, hops)) {
    const told = read(text.trim());
    // A proxy that says something else says nothing.
    if (told === null) break;
    address = told;
  }
  return address;
}

/** Who is limited together: one address of IPv4, and of IPv6 the network of 64 bits, of which a single host may use every address. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [before = '', after] = address.split('%')[0]?.split('::') ?? [];
  const head = before.split(':').filter(Boolean);
  const tail = (after ?? '').split(':').filter(Boolean);
  const zeros = after === undefined ? 0 : Math.max(0, GROUPS - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail].slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

function read(text: string): string | null {
  const found = WRITTEN.exec(text)?.groups;
  const address = plain(found?.['v6'] ?? found?.['v4'] ?? text);
  return isIP(address) === 0 ? null : address;
}

function plain(address: string): string {
  const unmapped = address.replace(MAPPED, '');
  return isIPv4(unmapped) ? unmapped : address;
}
