// Parameters of the OpenAPI document: those in paths and headers, and query parameters that no zod schema
// lists by name. `schemas.ts` derives all other query parameters from zod schemas.
import { QUEUE_NAME } from '../../config.ts'
import { SCHEDULE_NAME } from '../../definitions/schedule.ts'

export const PARAMETERS = {
  TaskId: {
    name: 'id',
    in: 'path',
    required: true,
    description: 'Id of the task.',
    schema: { type: 'string', format: 'uuid' },
  },
  WorkerId: {
    name: 'id',
    in: 'path',
    required: true,
    description: 'Id of the worker.',
    schema: { type: 'string', format: 'uuid' },
  },
  QueueName: {
    name: 'name',
    in: 'path',
    required: true,
    description: 'Name of the queue.',
    schema: { type: 'string', pattern: QUEUE_NAME.source },
    example: 'default',
  },
  ScheduleName: {
    name: 'name',
    in: 'path',
    required: true,
    description: 'Name of the schedule.',
    schema: { type: 'string', pattern: SCHEDULE_NAME.source },
    example: 'nightly',
  },
  DocsFile: {
    name: 'file',
    in: 'path',
    required: true,
    description: 'Name of a file of the documentation page.',
    schema: { type: 'string' },
    example: 'start.js',
  },
  InputFields: {
    name: 'input',
    in: 'query',
    description:
      'Up to five parameters `input.<path>=<value>`, e.g. `input.recipient=a@b.c`: tasks whose input has this value at this path. The path consists of member names separated by dots; elements of a list are named by their index. The value is a plain text, or a number, `true` or `false` as written in JSON.',
    style: 'form',
    explode: true,
    schema: {
      type: 'object',
      patternProperties: { '^input\\.': { type: 'string', maxLength: 1_000 } },
      additionalProperties: false,
      maxProperties: 5,
    },
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'ETag of an earlier response. The response is 304 if nothing has changed since.',
    schema: { type: 'string' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A text chosen by the client, preferably a UUID. For 24 hours, or as long as `IDEMPOTENCY_HOURS` of the server says, a repeated request with the same key and body gets the first response again and submits nothing. This also holds if the task has been removed meanwhile.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Stored with the task and written to the logs of API and worker.',
    schema: { type: 'string' },
  },
  Traceparent: {
    name: 'traceparent',
    in: 'header',
    description: 'W3C Trace Context. Stored with the task.',
    schema: { type: 'string' },
  },
  LastEventId: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Id of the last event received. Only newer versions are sent.',
    schema: { type: 'string' },
  },
} as const

export type ParameterName = keyof typeof PARAMETERS
