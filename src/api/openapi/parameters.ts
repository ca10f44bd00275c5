// Parameters in paths and headers. Those in query strings are made from the schemas that check them.
import { QUEUE_NAME } from '../../config.ts'

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
  Dividend: {
    name: 'x',
    in: 'query',
    description: 'What is divided.',
    schema: { type: 'number', default: 10 },
  },
  Divisor: {
    name: 'y',
    in: 'query',
    description: 'By what; not 0.',
    schema: { type: 'number', default: 2 },
  },
  DocsFile: {
    name: 'file',
    in: 'path',
    required: true,
    description: 'A file of the viewer.',
    schema: { type: 'string' },
    example: 'start.js',
  },
  InputFields: {
    name: 'input',
    in: 'query',
    description:
      'Any number up to five of `input.<path>=<value>`, e.g. `input.recipient=a@b.c`: tasks with this value there in their input. The path is names of members with dots between, for lists the number of the element; the value a text, or a number, `true` or `false` as JSON writes it.',
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
    description: 'The ETag of an earlier answer: 304 while nothing has changed.',
    schema: { type: 'string' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      "Any text of the caller's, best a UUID. A repeated request with the same key and body is given the first answer again, for 24 hours at least; nothing is submitted twice.",
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Kept with the task and written into the logs of API and worker.',
    schema: { type: 'string' },
  },
  Traceparent: {
    name: 'traceparent',
    in: 'header',
    description: 'W3C Trace Context; kept with the task.',
    schema: { type: 'string' },
  },
  LastEventId: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The last version that was seen: only newer ones are sent.',
    schema: { type: 'string' },
  },
} as const

export type ParameterName = keyof typeof PARAMETERS

/** What every submission takes. */
export const SUBMISSION_PARAMETERS = [
  'IdempotencyKey',
  'RequestId',
  'Traceparent',
] as const satisfies ParameterName[]
