import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import request from 'supertest';
import { startServer } from '../support/server';

test('the commands of docs/http.md do what it says, one after the other', async () => {
  const text = readFileSync(path.join(__dirname, '../../docs/http.md'), 'utf8');
  const commands = [
    ...text.matchAll(
      /^curl (?:-X (?<method>\w+) )?localhost:3001(?<path>\S+)(?: -H \S+ \S+)?(?: -d '(?<body>.+)')?$/gm,
    ),
  ];
  expect(commands).toHaveLength(text.match(/^curl /gm)?.length ?? 0);
  expect(commands.length).toBeGreaterThan(0);
  const server = await startServer();
  try {
    let last: unknown;
    for (const { groups = {} } of commands) {
      const asked = request(server.url)[groups['method'] === 'POST' ? 'post' : 'get'](groups['path'] ?? '');
      const body = groups['body'];
      const response = await (body ? asked.set('Content-Type', 'application/json').send(body) : asked);
      expect([groups['path'], response.ok]).toEqual([groups['path'], true]);
      last = response.body;
    }
    expect(last).toMatchObject({ entries: [{ seq: 1, operations: [{ insert: 'hello' }] }] });
  } finally {
    await server.stop();
  }
});

test('/docs runs and loads nothing, and its own style passes its policy', async () => {
  const server = await startServer();
  try {
    const page = await request(server.url).get('/docs');
    const style = /<style>([^]*?)<\/style>/.exec(page.text)?.[1] ?? '';
    const digest = createHash('sha256').update(style).digest('base64');
    expect(page.headers['content-security-policy']).toBe(
      `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-${digest}'`,
    );
  } finally {
    await server.stop();
  }
});
