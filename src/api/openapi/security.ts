// Security schemes of the document, and the security of each operation.
import type { Operation } from './operation.ts'

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key. Scopes: `submit` (submit tasks), `read` (read tasks and the state of the system), `operate` (cancel, retry, replay, pause, drain).',
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
    description: 'The `poll_token` from the response to a submission. It allows reading this one task only.',
  },
} as const

/** Whether requests count against the rate limit of the client. Requests that only read do not. */
export function isLimited({ scope }: Operation): boolean {
  return scope === 'submit' || scope === 'operate'
}

/** Alternative security requirements: any one of them is sufficient. */
export function securityOf({ scope, takesPollToken }: Operation): Record<string, string[]>[] {
  if (scope === null) return []
  const scopes = scope === 'any key' ? [] : [scope]
  return [{ apiKey: scopes }, { apiKeyHeader: scopes }, ...(takesPollToken ? [{ pollToken: [] }] : [])]
}
