import { readFileSync } from 'node:fs';
import path from 'node:path';
import { docsPage } from '../../src/http/docs-page';
import { endpoints, errorsOf, type Endpoint } from '../../src/http/endpoints';
import { openApiDocument } from '../../src/http/openapi';
import { ERRORS } from '../../src/protocol/errors';

type JsonObject = Record<string, unknown>;

const all: readonly Endpoint[] = Object.values(endpoints);
const document = JSON.parse(JSON.stringify(openApiDocument({ version: '1.2.3', mountPath: '' }))) as {
  openapi: string;
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, JsonObject>>;
  components: { schemas: Record<string, JsonObject> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** What a schema of OpenAPI 3.0 may say: a part of JSON Schema, without its newer words. */
const SCHEMA_WORDS = new Set(
  `title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems
  maxProperties minProperties required enum type not allOf oneOf anyOf items properties additionalProperties description format
  default nullable discriminator readOnly writeOnly xml externalDocs example deprecated`.split(/\s+/),
);

/** Every fault in a schema and in those inside it, as `where: what`. */
function schemaFaults(schema: unknown, where: string): string[] {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return [`${where}: no schema`];
  const parts = schema as JsonObject;
  if (typeof parts['$ref'] === 'string') return Object.keys(parts).length === 1 ? [] : [`${where}: $ref with company`];
  const nested: Array<[string, unknown]> = [
    ...Object.entries((parts['properties'] ?? {}) as JsonObject),
    ...['items', 'not', 'additionalProperties']
      .filter((word) => typeof parts[word] === 'object')
      .map((word): [string, unknown] => [word, parts[word]]),
    ...['anyOf', 'oneOf', 'allOf'].flatMap((word) =>
      ((parts[word] ?? []) as unknown[]).map((part, index): [string, unknown] => [`${word}.${index}`, part]),
    ),
  ];
  return [
    ...Object.keys(parts).flatMap((word) =>
      SCHEMA_WORDS.has(word) ? [] : [`${where}: ${word} is no word of OpenAPI 3.0`],
    ),
    ...(Array.isArray(parts['type']) ? [`${where}: several types`] : []),
    ...nested.flatMap(([name, part]) => schemaFaults(part, `${where}.${name}`)),
  ];
}

/** Every value under a key of this name, anywhere. */
function valuesOf(key: string, within: unknown): unknown[] {
  if (typeof within !== 'object' || within === null) return [];
  return Object.entries(within).flatMap(([name, value]) => [...(name === key ? [value] : []), ...valuesOf(key, value)]);
}

describe('the OpenAPI description', () => {
  test('has every endpoint once, and no other', () => {
    const described = operations.map(({ path, method }) => `${method} ${path}`).sort();
    const served = all.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).sort();
    expect(described).toEqual(served);
    expect(new Set(served).size).toBe(served.length);
    expect(new Set(operations.map(({ operation }) => operation['operationId'])).size).toBe(operations.length);
  });

  test('has every error code with its meaning, status and action', () => {
    const refusal = document.components.schemas['Refusal'];
    expect(valuesOf('code', refusal)).toEqual([{ type: 'string', enum: Object.keys(ERRORS) }]);
    for (const [code, { meaning, httpStatus, action }] of Object.entries(ERRORS)) {
      expect(document.info.description).toContain(`| ${code} | ${meaning} | ${httpStatus} | ${action} |`);
    }
  });

  test('says of each endpoint what it may be refused with', () => {
    for (const [name, endpoint] of Object.entries(endpoints)) {
      const described = operations.find(({ operation }) => operation['operationId'] === name);
      const responses = described?.operation['responses'] as Record<string, { description: string }>;
      for (const code of errorsOf(endpoint)) {
        const { httpStatus } = ERRORS[code];
        const isOwnReply = Object.hasOwn(endpoint.statuses, httpStatus);
        expect(`${name}: ${isOwnReply ? code : responses[httpStatus]?.description}`).toContain(code);
      }
    }
  });

  test('refers only to what is there, and leaves nothing unused', () => {
    const pointers = valuesOf('$ref', document);
    const there = Object.keys(document.components.schemas).map((id) => `#/components/schemas/${id}`);
    expect(there).toEqual(expect.arrayContaining(pointers));
    expect(new Set(pointers)).toEqual(new Set(there));
  });

  test('uses only words that OpenAPI 3.0 knows', () => {
    expect(document.openapi).toBe('3.0.3');
    const schemas = [
      ...Object.entries(document.components.schemas),
      ...operations.flatMap(({ path, operation }) =>
        valuesOf('schema', operation).map((schema) => [path, schema] as const),
      ),
    ];
    expect(schemas.flatMap(([where, schema]) => schemaFaults(schema, where))).toEqual([]);
    // The check can fail.
    expect(schemaFaults({ properties: { a: { const: 1 } } }, 'control')).toEqual([
      'control.a: const is no word of OpenAPI 3.0',
    ]);
  });

  test('declares the parameters of each path, required ones as required', () => {
    for (const { path, operation } of operations) {
      const parameters = operation['parameters'] as Array<{
        name: string;
        in: string;
        required: boolean;
        schema: JsonObject;
      }>;
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(parameters.filter((parameter) => parameter.in === 'query' && parameter.required)).toEqual([]);
    }
    const history = operations.find(({ operation }) => operation['operationId'] === 'readHistory');
    expect(history?.operation['parameters']).toContainEqual({
      name: 'limit',
      in: 'query',
      required: false,
      description: 'most entries of a page',
      schema: { default: 100, type: 'integer', minimum: 1, maximum: 1_000 },
    });
  });

  test('describes requests as callers write them: what has a default may be left out', () => {
    const request = document.components.schemas['CreateSessionRequest'];
    expect(request).toMatchObject({ additionalProperties: false, properties: { format: { default: 'yjs' } } });
    expect(request).not.toHaveProperty('required');
  });
});

describe('the pages to read', () => {
  test('/docs has every endpoint and every error code, and nothing that runs or loads', () => {
    const page = docsPage('1.2.3');
    for (const { method, path, summary } of all) {
      expect(page).toContain(`<code>${method.toUpperCase()} ${path}</code>`);
      expect(page).toContain(summary.replaceAll('&', '&amp;').replaceAll('"', '&quot;'));
    }
    for (const code of Object.keys(ERRORS)) expect(page).toContain(`<td>${code}</td>`);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|\sstyle=|javascript:/i);
  });

  test('docs/http.md has every endpoint as the code has it', () => {
    const text = readFileSync(path.join(__dirname, '../../docs/http.md'), 'utf8');
    const line = ({ method, path, summary }: Endpoint) => `| \`${method.toUpperCase()} ${path}\` | ${summary} |`;
    expect(text.split('\n').filter((row) => /^\| `[A-Z]+ \//.test(row))).toEqual(all.map(line));
  });
});
