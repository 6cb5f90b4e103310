import { networkOf, peerAddress } from '../../src/lib/peer-address';

const from = (remoteAddress: string, forwarded: string | undefined, hops: number): string => {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return peerAddress({ headers, socket: { remoteAddress } } as Parameters<typeof peerAddress>[0], hops);
};

test.each([
  ['nobody is believed unless it is said so', '192.0.2.1', '203.0.113.9', 0, '192.0.2.1'],
  ['without a header it is the peer', '192.0.2.1', undefined, 2, '192.0.2.1'],
  ['one proxy says who asked it', '192.0.2.1', '203.0.113.9', 1, '203.0.113.9'],
  ['what stands before that anybody may have written', '192.0.2.1', '198.51.100.7, 203.0.113.9', 1, '203.0.113.9'],
  ['two proxies', '192.0.2.1', '198.51.100.7, 203.0.113.9,10.0.0.1', 2, '203.0.113.9'],
  ['fewer have written than there should be', '192.0.2.1', '203.0.113.9', 3, '203.0.113.9'],
  ['a port is no part of it', '192.0.2.1', '203.0.113.9:4711', 1, '203.0.113.9'],
  ['nor are brackets', '192.0.2.1', '[2001:db8::1]:4711', 1, '2001:db8::1'],
  ['an address of IPv4 is one, however it is written', '::ffff:192.0.2.1', '::ffff:203.0.113.9', 1, '203.0.113.9'],
  ['a proxy that says no address says nothing', '192.0.2.1', '203.0.113.9, unknown', 2, '192.0.2.1'],
  ['an empty header says nothing', '192.0.2.1', '', 1, '192.0.2.1'],
])('[LM6] %s', (_what, remote, forwarded, hops, expected) => {
  expect(from(remote, forwarded, hops)).toBe(expected);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:0001:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('[LM6] who is limited together: %s is of %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
