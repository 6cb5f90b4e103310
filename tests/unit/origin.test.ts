import { isOriginAllowed } from '../../src/lib/origin';

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
    expect(isOriginAllowed(origin, askedHost, [])).toBe(isAllowed);
  });
});

describe('with a list', () => {
  test('exactly those are allowed, the same host too only if it is listed', () => {
    const allowed = ['https://app.example'];
    expect(isOriginAllowed('https://app.example', 'flow.example', allowed)).toBe(true);
    expect(isOriginAllowed('https://flow.example', 'flow.example', allowed)).toBe(false);
    expect(isOriginAllowed('http://localhost:5173', 'localhost:3001', allowed)).toBe(false);
    expect(isOriginAllowed(undefined, 'flow.example', allowed)).toBe(true);
  });

  test('* allows any', () => {
    expect(isOriginAllowed('https://anything.example', 'flow.example', ['*'])).toBe(true);
    expect(isOriginAllowed('null', 'flow.example', ['*'])).toBe(true);
  });
});
