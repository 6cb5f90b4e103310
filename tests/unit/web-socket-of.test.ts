import { textFrame } from '../../src/lib/web-socket-of';

describe('a WebSocket frame made here', () => {
  // RFC 6455, 5.2: the last part of a text, and its length in one, two or eight bytes.
  it.each([
    [0, '8100'],
    [125, '817d'],
    [126, '817e007e'],
    [65_535, '817effff'],
    [65_536, '817f0000000000010000'],
    [300_001, '817f00000000000493e1'],
  ])('of %i bytes has that length before its text', (length, header) => {
    const text = `${'é'.repeat(length >>> 1)}${'x'.repeat(length % 2)}`;
    const frame = textFrame(text);
    const headerBytes = header.length / 2;
    expect(frame.toString('hex', 0, headerBytes)).toBe(header);
    expect(frame.toString('utf8', headerBytes)).toBe(text);
  });
});
