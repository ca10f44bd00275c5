// Headers of answers. Those that are `required` come with every answer that names them.
export const HEADERS = {
  Location: {
    required: true,
    description: 'Where the task can be read.',
    schema: { type: 'string', format: 'uri-reference' },
  },
  ETag: {
    required: true,
    description: 'Changes with the content; for If-None-Match.',
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'Seconds after which it is worth asking again.',
    schema: { type: 'integer', minimum: 0 },
  },
  'Idempotent-Replayed': {
    description: '`true` where this is the first answer again, given to the same Idempotency-Key.',
    schema: { type: 'string', const: 'true' },
  },
  'WWW-Authenticate': {
    required: true,
    description: 'How to present a key.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'What is left of the quota (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description: 'The quota and its window.',
    schema: { type: 'string' },
  },
  'X-Request-Id': {
    required: true,
    description: 'The one that was sent, or a new one: the thread through all logs.',
    schema: { type: 'string' },
  },
} as const

export type HeaderName = keyof typeof HEADERS

/** On the answers of every operation that counts against a limit. */
export const LIMIT_HEADERS = ['RateLimit', 'RateLimit-Policy'] as const satisfies HeaderName[]
