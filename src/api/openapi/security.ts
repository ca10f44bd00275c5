// Who may do what.
import type { Operation } from './operation.ts'

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key. Its scopes: `submit` tasks, `read` them, `operate` them (cancel, retry, pause).',
  },
  apiKeyHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'The same key, for clients that cannot set Authorization.',
  },
  pollToken: {
    type: 'apiKey',
    in: 'query',
    name: 'poll_token',
    description:
      'The `poll_token` that a submission was answered with: reads this one task, and nothing else.',
  },
} as const

/** Everything that changes something counts against the limit of whoever asks; looking does not. */
export function isLimited({ scope }: Operation): boolean {
  return scope === 'submit' || scope === 'operate'
}

/** Any one of them will do. */
export function securityOf({ scope, takesPollToken }: Operation): Record<string, string[]>[] {
  if (scope === null) return []
  const scopes = scope === 'any key' ? [] : [scope]
  return [{ apiKey: scopes }, { apiKeyHeader: scopes }, ...(takesPollToken ? [{ pollToken: [] }] : [])]
}
