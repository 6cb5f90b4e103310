import { isNameAllowed, isOriginAllowed } from '../../src/lib/origin';

describe('without a list of origins', () => {
  test.each([
    [undefined, 'flow.example', true],
    ['https://flow.example', 'flow.example', true],
    ['https://flow.example:5173', 'flow.example:3001', true],
    ['http://localhost:5173', 'flow.example', true],
    ['http://127.0.0.1:5173', 'localhost:3001', true],
    ['http://[::1]:5173', 'localhost:3001', true],
    ['https://evil.example', 'flow.example', false],
    ['https://flow.example.evil.example', 'flow.example', false],
    ['http://localhost.evil.example', 'localhost:3001', false],
    ['null', 'flow.example', false],
    ['null', undefined, false],
    ['', 'flow.example', false],
    ['file://', 'flow.example', false],
    ['https://evil.example', undefined, false],
  ])('origin %j asking %j is allowed: %p', (origin, askedHost, isAllowed) => {
    expect(isOriginAllowed(origin, askedHost, { allowedOrigins: [] })).toBe(isAllowed);
  });
});

describe('with a list', () => {
  test('exactly those are allowed, the same host too only if it is listed', () => {
    const allowed = ['https://app.example'];
    expect(isOriginAllowed('https://app.example', 'flow.example', { allowedOrigins: allowed })).toBe(true);
    expect(isOriginAllowed('https://flow.example', 'flow.example', { allowedOrigins: allowed })).toBe(false);
    expect(isOriginAllowed('http://localhost:5173', 'localhost:3001', { allowedOrigins: allowed })).toBe(false);
    expect(isOriginAllowed(undefined, 'flow.example', { allowedOrigins: allowed })).toBe(true);
  });

  test('* allows any', () => {
    expect(isOriginAllowed('https://anything.example', 'flow.example', { allowedOrigins: ['*'] })).toBe(true);
    expect(isOriginAllowed('null', 'flow.example', { allowedOrigins: ['*'] })).toBe(true);
  });
});

describe('the name by which a server is called where everybody is let in', () => {
  test.each([
    ['localhost:3001', true],
    ['flow.localhost:3001', true],
    ['127.0.0.1:3001', true],
    ['[::1]:3001', true],
    ['192.168.1.7:3001', true],
    ['backend:3001', true],
    ['evil.example:3001', false],
    ['localhost.evil.example:3001', false],
    ['127.0.0.1.evil.example', false],
    ['evil.example.', false],
    ['', false],
    [undefined, false],
  ])('%j is allowed: %p', (askedHost, isAllowed) => {
    const origin = askedHost === undefined ? undefined : `http://${askedHost}`;
    for (const asking of [undefined, origin])
      expect(isNameAllowed(asking, askedHost, { allowedOrigins: [], isOpen: true })).toBe(isAllowed);
    // Who must prove who they are may call it by any name.
    expect(isNameAllowed(origin, askedHost, { allowedOrigins: [], isOpen: false })).toBe(true);
  });

  test('is one that is listed, or any that a listed page asks', () => {
    const rules = { allowedOrigins: ['https://flow.example', 'https://app.example'], isOpen: true };
    expect(isNameAllowed(undefined, 'flow.example:3001', rules)).toBe(true);
    expect(isNameAllowed('https://app.example', 'other.example', rules)).toBe(true);
    expect(isNameAllowed(undefined, 'other.example', rules)).toBe(false);
    expect(isNameAllowed('https://evil.example', 'evil.example', rules)).toBe(false);
    expect(isNameAllowed('https://evil.example', 'evil.example', { ...rules, allowedOrigins: ['*'] })).toBe(true);
  });
});
