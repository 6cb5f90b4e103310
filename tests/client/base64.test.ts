import { fromBase64, fromBase64Portably, toBase64, toBase64Portably } from '../../src/client/base64';
import { seededRandom } from '../../src/tools/seeded-random';

describe('base64', () => {
  test.each([0, 1, 2, 3, 255, 8_191, 8_192, 8_193, 100_000])(
    '%i random bytes come back, with and without what Node has built in',
    (length) => {
      const random = seededRandom(length);
      const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256));
      const expected = Buffer.from(bytes).toString('base64');
      expect(toBase64(bytes)).toBe(expected);
      expect(toBase64Portably(bytes)).toBe(expected);
      expect(fromBase64(expected)).toEqual(bytes);
      expect(fromBase64Portably(expected)).toEqual(bytes);
    },
  );

  test('a view into a larger buffer is only itself', () => {
    const bytes = Uint8Array.from([1, 2, 3, 4, 5]).subarray(1, 3);
    expect(fromBase64(toBase64(bytes))).toEqual(Uint8Array.from([2, 3]));
  });
});
