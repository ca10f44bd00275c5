// Response headers in the OpenAPI document. A header with `required` is present in every response that lists
// it.
export const HEADERS = {
  Location: {
    required: true,
    description: 'URL at which the task can be read.',
    schema: { type: 'string', format: 'uri-reference' },
  },
  ETag: {
    required: true,
    description: 'Changes with the content. Send it as If-None-Match.',
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'Seconds to wait before the next request.',
    schema: { type: 'integer', minimum: 0 },
  },
  'Idempotent-Replayed': {
    description: '`true` if this response repeats the first response to the same Idempotency-Key.',
    schema: { type: 'string', const: 'true' },
  },
  'WWW-Authenticate': {
    required: true,
    description: 'How to send an API key.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'Remaining quota (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description: 'Quota and window (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string' },
  },
  'X-Request-Id': {
    required: true,
    description:
      'The id that the client sent, or a new one. All logs of the request and its tasks contain it.',
    schema: { type: 'string' },
  },
} as const

export type HeaderName = keyof typeof HEADERS

/** Headers of every response of an operation that counts against the rate limit. */
export const LIMIT_HEADERS = ['RateLimit', 'RateLimit-Policy'] as const satisfies HeaderName[]
