import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../protocol/errors';
import { endpoints, errorsOf, nothing, type Endpoint, type EndpointName } from './endpoints';
import { errorCodes, errorReply, namedSchemas } from './schemas';

type JsonObject = Record<string, unknown>;

const JSON_TYPE = 'application/json';

/** The endpoints as an OpenAPI 3.0 description, from the very schemas that requests and replies are checked with. */
export function openApiDocument({ version, mountPath }: { version: string; mountPath: string }): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const [name, endpoint] of namedEndpoints()) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[endpoint.method] = operationOf(name, endpoint);
  }
  return {
    openapi: '3.0.3',
    info: { title: 'Flow Backend', version, description: ERRORS_EXPLAINED },
    servers: serversOf(mountPath),
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'Who calls. With AUTH_MODE=open: a name, or nothing.' },
      },
    },
  };
}

/** Where the described paths begin. */
export const serversOf = (mountPath: string): JsonObject[] => [{ url: mountPath || '/' }];

export const namedEndpoints = (): Array<[EndpointName, Endpoint]> =>
  Object.entries(endpoints).flatMap(([name, endpoint]) => (isEndpointName(name) ? [[name, endpoint]] : []));

const isEndpointName = (name: string): name is EndpointName => Object.hasOwn(endpoints, name);

const ERRORS_EXPLAINED = [
  'Every refusal is `{ error: { code, message, action, … } }`; programs obey `action`.',
  'A path that does not exist answers BAD_REQUEST with 404 (inside an application: only below /api), a method it does not have BAD_REQUEST with 405.',
  '',
  '| code | meaning | status | action |',
  '| --- | --- | --- | --- |',
  ...errorCodes.map((code) => {
    const { meaning, httpStatus, action } = ERRORS[code];
    return `| ${code} | ${meaning} | ${httpStatus} | ${action} |`;
  }),
].join('\n');

function operationOf(name: EndpointName, endpoint: Endpoint): JsonObject {
  return {
    operationId: name,
    summary: endpoint.summary,
    ...(endpoint.access !== 'public' ? { security: [{ bearer: [] }, {}] } : {}),
    parameters: [...parametersOf('path', endpoint.params), ...parametersOf('query', endpoint.query)],
    ...(endpoint.body === nothing ? {} : { requestBody: requestBodyOf(name, endpoint) }),
    responses: responsesOf(name, endpoint),
  };
}

function parametersOf(place: 'path' | 'query', { shape }: z.ZodObject): JsonObject[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description, ...described } = z.toJSONSchema(schema, { target: 'openapi-3.0' });
    return { name, in: place, required: !z.safeParse(schema, undefined).success, description, schema: described };
  });
}

function requestBodyOf(name: EndpointName, { body }: Endpoint): JsonObject {
  const required = !body.safeParse({}).success;
  return { required, content: { [JSON_TYPE]: { schema: reference(requestName(name)) } } };
}

function responsesOf(name: EndpointName, endpoint: Endpoint): JsonObject {
  const responses: JsonObject = {};
  for (const [status, codes] of byStatus(errorsOf(endpoint))) responses[status] = refusalOf(codes);
  const content = {
    ...(endpoint.reply === nothing ? {} : { [JSON_TYPE]: { schema: reference(replyName(name)) } }),
    ...Object.fromEntries(
      Object.entries(endpoint.otherMedia).map(([type, description]) => [type, media(type, description)]),
    ),
  };
  const headers = Object.fromEntries(
    Object.entries(endpoint.replyHeaders).map(([header, description]) => [
      header,
      { description, schema: { type: 'string' } },
    ]),
  );
  for (const [status, description] of Object.entries(endpoint.statuses)) {
    const hasContent = status !== '304' && Object.keys(content).length > 0;
    responses[status] = { description, headers, ...(hasContent ? { content } : {}) };
  }
  return responses;
}

const media = (type: string, description: string): JsonObject => ({
  schema: { type: 'string', description, ...(type.startsWith('text/') ? {} : { format: 'binary' }) },
});

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { httpStatus } = ERRORS[code];
    groups.set(httpStatus, [...(groups.get(httpStatus) ?? []), code]);
  }
  return groups;
}

function refusalOf(codes: readonly ErrorCode[]): JsonObject {
  return {
    description: codes.map((code) => `${code}: ${ERRORS[code].meaning}`).join(' '),
    headers: { 'Retry-After': { description: 'seconds, where waiting helps', schema: { type: 'integer' } } },
    content: { [JSON_TYPE]: { schema: reference('Refusal') } },
  };
}

/** Requests are described as callers write them, replies as they are; what both share is the same either way. */
function componentSchemas(): JsonObject {
  const requests = z.registry<{ id: string }>();
  const replies = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(namedSchemas)) {
    requests.add(schema, { id });
    replies.add(schema, { id });
  }
  replies.add(errorReply, { id: 'Refusal' });
  for (const [name, { body, reply }] of namedEndpoints()) {
    if (body !== nothing) requests.add(body, { id: requestName(name) });
    if (reply !== nothing) replies.add(reply, { id: replyName(name) });
  }
  return { ...describe(requests, 'input'), ...describe(replies, 'output') };
}

function describe(registry: z.core.$ZodRegistry<{ id: string }>, io: 'input' | 'output'): JsonObject {
  const { schemas } = z.toJSONSchema(registry, { target: 'openapi-3.0', io, uri: pointerTo });
  // OpenAPI 3.0 names a schema by its place, not by an id.
  return Object.fromEntries(Object.entries(schemas).map(([id, { $id: _, ...schema }]) => [id, schema]));
}

const pointerTo = (id: string): string => `#/components/schemas/${id}`;
const reference = (id: string): JsonObject => ({ $ref: pointerTo(id) });
const capitalized = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
const requestName = (name: EndpointName): string => `${capitalized(name)}Request`;
const replyName = (name: EndpointName): string => `${capitalized(name)}Reply`;
